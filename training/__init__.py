"""Offline training: corpora in, bundles out. The service never imports this."""
