"""The tests, room by room; the programs that measure are in ``bench``."""
