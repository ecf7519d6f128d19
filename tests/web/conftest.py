"""The application over HTTP, as in tests/api."""

from __future__ import annotations

from tests.api.conftest import models, serve, served  # noqa: F401 (fixtures)
