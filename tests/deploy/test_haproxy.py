"""deploy/haproxy/haproxy.cfg, in HAProxy itself: what comes through to an instance, and what does not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urljoin

import pytest

from bench.process import DEPLOY, Program, ask, free_port
from tests.process import running
from tests.programs import need

pytestmark = pytest.mark.tools


class Yes(BaseHTTPRequestHandler):
    """An instance that has an answer to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
        """Not to the tests' own output."""


@pytest.fixture(scope="module")
def instance() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Yes) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def port(instance: str) -> Iterator[int]:
    port = free_port()
    environment = os.environ | {"BIND": f"127.0.0.1:{port}", "INSTANCE_A": instance, "INSTANCE_B": instance}
    command = [need("haproxy"), "-db", "-f", str(DEPLOY / "haproxy" / "haproxy.cfg")]
    with Program(command=command, ready=f"http://127.0.0.1:{port}/health/ready", environment=environment):
        yield port


def status(port: int, path: str) -> int:
    """The status of the answer to a GET."""
    return ask(f"http://127.0.0.1:{port}{path}")[0]


FOR_OPERATORS = """
    /metrics /metrics?x //metrics /metrics/ ///metrics// /%6detrics /%2Fmetrics
    /admin /admin/reload //admin/reload /%61dmin/reload
"""


@pytest.mark.parametrize("path", FOR_OPERATORS.split())
def test_what_is_for_operators_does_not_come_through_however_it_is_written(port: int, path: str) -> None:
    assert status(port, path) == 404


@pytest.mark.parametrize("path", ["/tag", "/models", "/schema", "/metricsx", "/x/metrics"])
def test_everything_else_does(port: int, path: str) -> None:
    assert status(port, path) == 200


PREFIXED = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend all
    bind 127.0.0.1:{port}
    http-request deny deny_status 404 unless {{ path_beg /nlp/ }}
    {rewrite}
    default_backend ribbon
backend ribbon
    server a {instance}
"""
TAKEN_AWAY = "http-request replace-path /nlp(/.*) \\1"


@pytest.mark.parametrize("rewrite", [pytest.param("", id="kept"), pytest.param(TAKEN_AWAY, id="taken away")])
def test_the_service_lives_under_a_prefix(models: Path, tmp_path: Path, rewrite: str) -> None:
    port, configuration = free_port(), tmp_path / "haproxy.cfg"
    with running(models, RIBBON_ROOT_PATH="/nlp") as service:
        instance = service.line("ready")["url"].removeprefix("http://")
        configuration.write_text(PREFIXED.format(port=port, rewrite=rewrite, instance=instance))
        page = f"http://127.0.0.1:{port}/nlp/schema"
        with Program(command=[need("haproxy"), "-db", "-f", str(configuration)], ready=f"{page[:-7]}/health/ready"):
            links = re.findall(rb'(?:src|spec-url)="([^"]+)"', ask(page)[1])
            assert len(links) == 2
            for link in links:
                address = urljoin(page, link.decode())
                assert address.startswith(f"http://127.0.0.1:{port}/nlp/schema/")
                assert ask(address)[0] == 200
            assert ask(f"http://127.0.0.1:{port}/nlp/tag", {"text": "Alice"})[0] == 200
            assert status(port, "/tag") == 404
