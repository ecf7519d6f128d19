"""Liveness over HTTP."""

from __future__ import annotations

from tests.api.conftest import Served


def test_liveness_says_so(served: Served) -> None:
    assert served.app is not None
    assert served.client.get("/health/live").status_code == 200
    served.app.lifecycle.is_live = lambda: False
    response = served.client.get("/health/live")
    assert (response.status_code, response.json()["kind"]) == (503, "not_ready")
