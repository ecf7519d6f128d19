"""Other servers in front of the same network and the same text pipeline, beside this one: ``python -m bench.peers``."""
