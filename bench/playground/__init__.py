"""The playground in Debian's Chromium: its tests (``python -m bench.playground``), its pictures, the time to it."""
