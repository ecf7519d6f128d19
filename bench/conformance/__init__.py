"""Schemathesis over the whole description, with all its checks, on the service as users run it."""
