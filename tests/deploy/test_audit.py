"""The audit of dependencies: what fails the check, and what is only said."""

from __future__ import annotations

import json

from deploy.audit import installed, verdict

PACKAGES = {"idna": "3.4", "uvicorn": "0.54.0"}
WEAKNESS = {"id": "PYSEC-2024-60", "fix_versions": ["3.7"], "aliases": [], "description": "slow"}


def written(**vulns: list[object] | None) -> str:
    """What pip-audit writes; None is a package that it was told nothing about."""
    told = [
        {"name": name, "skip_reason": "not found"} if each is None else {"name": name, "version": "1", "vulns": each}
        for name, each in vulns.items()
    ]
    return json.dumps({"dependencies": told, "fixes": []})


def test_a_known_weakness_fails_the_check_and_says_what_mends_it() -> None:
    found = verdict(written(idna=[WEAKNESS], uvicorn=[]), PACKAGES)
    assert (found.status, found.lines) == (1, ["audit: idna 3.4: PYSEC-2024-60, mended in 3.7"])


def test_nothing_known_is_said_of_those_that_were_asked_about() -> None:
    assert verdict(written(idna=[], uvicorn=[]), PACKAGES).lines == ["audit: nothing is known against 2 packages"]
    partly = verdict(written(idna=[], uvicorn=None), PACKAGES)
    assert partly.lines == ["audit: nothing is known against 1 packages", "audit: no answer about uvicorn"]
    assert partly.status == 0


def test_a_service_that_cannot_be_asked_is_said_in_one_line_and_no_failure() -> None:
    for nothing in ("", "Traceback", "[]", "{}", written(idna=None, uvicorn=None)):
        found = verdict(nothing, PACKAGES)
        assert found.status == 0
        assert len(found.lines) == 1
        assert "cannot be reached" in found.lines[0]


def test_what_serving_needs_is_found_and_no_more() -> None:
    packages = installed()
    assert {"uvicorn", "litestar", "onnxruntime", "click"} <= set(packages)  # click is uvicorn's
    assert not {"torch", "pytest", "pip-audit"} & set(packages)
