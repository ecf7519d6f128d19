"""The service under load while everything goes wrong around it; ``python -m bench.chaos``."""
