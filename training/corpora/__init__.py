"""Readers of corpora, one per format, and the sources that corpora come from."""
