"""How fast, how soon and how large: the service over HTTP beside its own network run bare. ``make bench``."""
