"""The tests, room by room. Programs that measure and try the service are in ``bench``."""
