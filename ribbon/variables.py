"""Environment variables of the command line."""

from __future__ import annotations

MODELS_DIR = "RIBBON_MODELS_DIR"  # the service's too
API_KEY = "RIBBON_API_KEY"
URL = "RIBBON_URL"
CLIENT_VARIABLES = frozenset({API_KEY, URL})  # which the service does not know, and would refuse
