"""Ribbon's service: small recurrent networks for language behind a REST API."""
