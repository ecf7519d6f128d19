"""The real exporter, of a real process, over HTTP to a collector that is a few lines long."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.process import client_of, running, start_that_fails


@dataclass(slots=True)
class Collector:
    """What was received."""

    url: str = ""
    paths: list[str] = field(default_factory=list)
    resources: list[Any] = field(default_factory=list)

    @property
    def spans(self) -> list[Any]:
        return [span for each in self.resources for scope in each.scope_spans for span in scope.spans]

    @property
    def services(self) -> set[str]:
        attributes = (attribute for each in self.resources for attribute in each.resource.attributes)
        return {attribute.value.string_value for attribute in attributes if attribute.key == "service.name"}


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.paths.append(self.path)
            collector.resources += ExportTraceServiceRequest.FromString(body).resource_spans
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_a_collector_gets_when_the_service_has_ended(
    models: Path, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")  # nothing is sent before the end
        with running(models, RIBBON_TRACING="otlp", RIBBON_WORKERS=workers) as service:
            with client_of(service.line("ready")["url"]) as client:
                assert client.post("/tag", json={"text": "Alice plays"}).status_code == 200
            service.terminate()
            assert service.status() == 0
            [line] = [line for line in service.rest() if line["message"] == "request"]
    assert collector.paths == ["/v1/traces"]
    assert collector.services == {"ribbon"}
    assert [span.name for span in collector.spans] == ["encode", "queue", "model", "write", "POST /tag"]
    assert {span.trace_id.hex() for span in collector.spans} == {line["trace_id"]}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_packages_that_are_missing_stop_the_start(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    (tmp_path / "opentelemetry.py").write_text("raise ModuleNotFoundError(name='opentelemetry')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ended = start_that_fails(models, RIBBON_TRACING="otlp", RIBBON_WORKERS=workers)
    assert ended.returncode == 1
    assert json.loads(ended.stderr.splitlines()[-1])["message"].startswith("RIBBON_TRACING=otlp: opentelemetry is not")
