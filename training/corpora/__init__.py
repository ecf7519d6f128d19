"""Readers, one per format, and where corpora come from."""
