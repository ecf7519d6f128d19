"""Tracing: reports where a request's time went to a collector. It does nothing unless it is configured."""
