"""The operators' port: what is there, and what is not on the callers' any more."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.operations import reload_by_supervisor
from service.app import Engine, create_admin_app, create_app
from service.errors import ReloadFailedError
from service.lifecycle import Lifecycle
from tests.fakes import (
    CLASSIFIER,
    GRAPH,
    NAME,
    VERSION,
    FakeSession,
    OpenFake,
    damage,
    settings_for,
    write_bundle,
    write_classifier,
)
from tests.models.reloading import caller_of, run

REBOUND = "rebound.example"  # a name that a page has bound to this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Both applications in one event loop."""

    main: httpx.AsyncClient
    admin: httpx.AsyncClient
    engine: Engine


@asynccontextmanager
async def service(models: Path, **choices: Any) -> AsyncIterator[Service]:
    app = create_app(settings_for(models, **{"admin_port": 0, **choices}), open_session=OpenFake(FakeSession()))
    engine: Engine = app.engine
    admin = create_admin_app(app, engine.reload)
    async with engine.running(app), caller_of(app) as on_main, caller_of(admin) as on_admin:
        await engine.lifecycle.decided()
        yield Service(main=on_main, admin=on_admin, engine=engine)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_bundle(tmp_path)
    return tmp_path


def test_a_reload_answers_with_what_it_changed(models: Path) -> None:
    async def test() -> None:
        async with service(models) as served:
            write_classifier(models)
            shutil.move(write_bundle(models, version="2.0.0", folder=".beside"), models / "second")
            response = await served.admin.post("/admin/reload")
            assert response.status_code == 200
            answer = response.json()
            assert answer.pop("seconds") > 0
            assert answer == {
                "result": "ok",
                "added": [f"{CLASSIFIER}@{VERSION}", f"{NAME}@2.0.0"],
                "changed": [],
                "removed": [],
                "kept": [f"{NAME}@{VERSION}"],
            }
            assert response.headers["x-request-id"]
            tagged = await served.main.post("/tag", json={"text": "x"})
            assert tagged.json()["model"]["version"] == "2.0.0"
            assert len((await served.admin.get("/models")).json()["models"]) == 3
            assert (await served.admin.post("/admin/reload")).json()["result"] == "unchanged"

    run(test)


def test_a_reload_that_fails_is_a_problem_with_the_reason(models: Path) -> None:
    async def test() -> None:
        async with service(models) as served:
            path = damage(write_classifier(models) / GRAPH)
            response = await served.admin.post("/admin/reload")
            assert response.status_code == 409
            assert response.headers["content-type"] == "application/problem+json"
            problem = response.json()
            assert problem["kind"] == "reload_failed"
            assert problem["detail"].startswith(f"those before are still served: {path}: checksum")
            assert (await served.main.post("/tag", json={"text": "x"})).status_code == 200
            metrics = (await served.admin.get("/metrics")).text
            assert 'ribbon_reloads_total{result="failed"} 1.0' in metrics
            assert 'ribbon_errors_total{kind="reload_failed"} 1.0' in metrics

    run(test)


def test_with_an_admin_port_callers_see_neither_metrics_nor_admin_routes(models: Path) -> None:
    async def test() -> None:
        async with service(models) as served:
            for client, paths in (
                (
                    served.main,
                    {"/metrics": 404, "/admin/reload": 404, "/health/live": 200, "/health/ready": 200, "/": 200},
                ),
                (
                    served.admin,
                    {"/metrics": 200, "/admin/reload": 405, "/health/live": 200, "/health/ready": 200, "/": 404},
                ),
            ):
                for path, status in paths.items():
                    assert (await client.get(path)).status_code == status, path
            assert (await served.main.post("/admin/reload")).status_code == 404
            assert (await served.admin.post("/tag", json={"text": "x"})).status_code == 404
            described = (await served.admin.get("/schema/openapi.json")).json()["paths"]
            assert set(described) == {"/metrics", "/health/live", "/health/ready", "/models", "/admin/reload"}
            assert set(described["/admin/reload"]["post"]["responses"]) == {"200", "202", "403", "409", "421"}
            assert "/metrics" not in (await served.main.get("/schema/openapi.json")).json()["paths"]

    run(test)


def test_without_one_metrics_are_on_the_main_port(models: Path) -> None:
    async def test() -> None:
        async with service(models, admin_port=None) as served:
            assert (await served.main.get("/metrics")).status_code == 200
            assert (await served.main.post("/admin/reload")).status_code == 404

    run(test)


def test_operators_need_no_key(models: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(f"somebody:{hashlib.sha256(b'secret-secret-secret').hexdigest()}\n")

    async def test() -> None:
        async with service(models, api_keys_file=keys) as served:
            assert (await served.main.get("/models")).status_code == 401
            for path in ("/models", "/metrics", "/health/ready"):
                assert (await served.admin.get(path)).status_code == 200, path
            assert (await served.admin.post("/admin/reload")).status_code == 200

    run(test)


def test_it_answers_while_the_service_drains(models: Path) -> None:
    async def test() -> None:
        async with service(models) as served:
            served.engine.lifecycle.close()
            assert (await served.admin.get("/health/live")).status_code == 200
            assert (await served.admin.get("/health/ready")).status_code == 503
            assert (await served.admin.get("/metrics")).status_code == 200
            problem = (await served.admin.post("/admin/reload")).json()
            assert (problem["status"], problem["detail"]) == (409, "the service is draining")
            assert 'ribbon_reloads_total{result="failed"} 0.0' in (await served.admin.get("/metrics")).text

    run(test)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="no browser"),
        pytest.param({"Origin": "http://test", "Sec-Fetch-Site": "same-origin"}, 200, id="this port's own page"),
        pytest.param({"Origin": "http://test"}, 200, id="the same from a browser over plain HTTP"),
        pytest.param({"Origin": "https://TEST"}, 200, id="behind a proxy that speaks TLS"),
        pytest.param({"Sec-Fetch-Site": "none"}, 200, id="a person"),
        pytest.param({"Origin": "https://elsewhere.example"}, 403, id="another origin"),
        pytest.param({"Origin": "http://test:8000"}, 403, id="another port"),
        pytest.param({"Origin": "null"}, 403, id="an origin that is hidden"),
        pytest.param({"Origin": ""}, 403, id="an origin that is empty"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="another site"),
        pytest.param({"Origin": "http://test", "Sec-Fetch-Site": "same-site"}, 403, id="a sibling"),
    ],
)
def test_no_page_of_another_origin_has_a_browser_reload_models(
    models: Path, headers: dict[str, str], status: int
) -> None:
    async def test() -> None:
        async with service(models) as served:
            write_classifier(models)
            response = await served.admin.post("/admin/reload", headers=headers)
            assert response.status_code == status
            reloaded = len((await served.admin.get("/models")).json()["models"]) == 2
            assert reloaded == (status == 200)
            if status == 403:
                assert response.headers["content-type"] == "application/problem+json"
                assert response.json()["kind"] == "cross_origin"

    run(test)


def test_a_supervisor_that_died_is_not_told() -> None:
    """Its number may be somebody else's by now."""

    async def test() -> None:
        with pytest.raises(ReloadFailedError, match="supervisor of this worker has died"):
            await reload_by_supervisor(os.getpid(), Lifecycle())()

    run(test)


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_a_page_that_is_bound_to_the_machine_cannot_have_models_reloaded(tmp_path: Path, host: str) -> None:
    forged = {"host": f"{REBOUND}:9100", "origin": f"http://{REBOUND}:9100"}

    async def check() -> None:
        async with service(tmp_path / "models", host=host, allowed_hosts=None) as both:
            for path in ("/admin/reload", "/admin//reload/"):
                refused = await both.admin.post(path, headers=forged)
                assert (refused.status_code, refused.json()["kind"]) == (421, "unknown_host")
            for own in ("localhost:9100", "10.0.0.7:9100"):
                assert (await both.admin.post("/admin/reload", headers={"host": own})).status_code == 200
            by_name = (await both.admin.get("/metrics", headers={"host": "ribbon:9100"})).status_code
            assert by_name == (421 if host == "127.0.0.1" else 200)

    write_bundle(tmp_path / "models")
    run(check)
