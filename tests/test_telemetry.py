"""Traces: spans of every request, from its headers to its last stage, and no word of its text in them."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from service.app import create_app
from service.logs import JsonFormatter
from service.telemetry import NO_TRACE, Tracer, choose_tracer
from tests.application import NEEDED, Client, is_ready, wait_until
from tests.fakes import (
    CLASSIFIER,
    NAME,
    TRANSLATOR,
    VERSION,
    FakeSession,
    OpenFake,
    settings_for,
    write_bundle,
    write_classifier,
    write_translator,
)

ROOT = Path(__file__).parents[1]
SECRET = "Alice plays with Paris"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """An application whose spans are kept."""

    client: Client
    session: FakeSession
    exporter: InMemorySpanExporter

    def spans_of(self, path: str, *, headers: dict[str, str] | None = None, **request: Any) -> dict[str, ReadableSpan]:
        """Of one request, by name; the server's is called ``server``."""
        self.exporter.clear()
        self.client.post(path, json={**NEEDED.get(path, {}), **request}, headers=headers)
        return {"server" if each.kind is SpanKind.SERVER else each.name: each for each in self.spans}

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_bundle(folder)
    write_classifier(folder)
    write_translator(folder)
    return folder


@pytest.fixture
def traced(models: Path) -> Iterator[Traced]:
    session, exporter, provider = FakeSession(), InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = create_app(settings_for(models), open_session=OpenFake(session), tracer=Tracer(lambda: provider))
    with TestClient(app) as client:
        wait_until(lambda: is_ready(client))
        yield Traced(client=client, session=session, exporter=exporter)


@pytest.mark.parametrize(("path", "name"), [("/tag", NAME), ("/classify", CLASSIFIER)])
def test_a_request_is_a_server_span_over_its_stages(traced: Traced, path: str, name: str) -> None:
    spans = traced.spans_of(path, headers={"X-Request-ID": "mine"}, text=["good plot", "bad"])
    server = spans.pop("server")
    assert server.name == f"POST {path}"
    assert dict(server.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": path,
        "http.response.status_code": 200,
        "http.request.body.size": len(b'{"text":["good plot","bad"]}'),
        "http.response.body.size": server.attributes["http.response.body.size"],
        "ribbon.request_id": "mine",
        "ribbon.items": 2,
        "ribbon.tokens": 3,
        "ribbon.model": f"{name}@{VERSION}",
    }
    assert list(spans) == ["encode", "queue", "model", "write"]
    assert spans["model"].attributes == {
        "ribbon.model": f"{name}@{VERSION}",
        "ribbon.rows": 2,
        "ribbon.cells": 4,
        "ribbon.padding": 0.25,
    }
    for span in spans.values():
        assert span.parent is not None
        assert span.parent.span_id == server.context.span_id
        assert server.start_time <= span.start_time <= span.end_time <= server.end_time
    assert spans["queue"].end_time == spans["model"].start_time


def test_a_translation_says_how_much_was_decoded(traced: Traced) -> None:
    spans = traced.spans_of("/translate", text="Me too. And you.", beam_size=2)
    assert list(spans) == ["encode", "queue", "decode", "write", "server"]
    sizes = dict(spans["decode"].attributes or {})
    assert sizes.pop("ribbon.model") == f"{TRANSLATOR}@{VERSION}"
    assert sizes.pop("ribbon.sentences") == 2
    assert 0 < sizes["ribbon.target_tokens"] < sizes["ribbon.steps"]  # the end of each takes a step


def test_a_stream_is_one_span_until_its_last_event(traced: Traced) -> None:
    spans = traced.spans_of("/translate", text="Me too. And you.", stream=True)
    assert list(spans) == ["encode", "queue", "decode", "server"]
    assert spans["server"].end_time >= spans["decode"].end_time


def test_each_run_that_had_rows_of_a_request_is_told(traced: Traced) -> None:
    traced.exporter.clear()
    traced.client.post("/tag", json={"tokens": [["plays"] * 40] * 100})
    runs = [each.attributes for each in traced.spans if each.name == "model"]
    assert len(runs) > 1
    assert sum(run["ribbon.rows"] for run in runs if run) == 100
    assert all(run["ribbon.cells"] <= 1024 for run in runs if run)


def test_the_callers_trace_goes_on(traced: Traced) -> None:
    spans = traced.spans_of("/tag", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}, text="a")
    assert f"{spans['server'].parent.span_id:016x}" == PARENT
    assert {f"{span.context.trace_id:032x}" for span in spans.values()} == {TRACE}


@pytest.mark.parametrize("traceparent", ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01-\xff"])
def test_a_parent_that_is_none_begins_a_new_trace(traced: Traced, traceparent: str) -> None:
    spans = traced.spans_of("/tag", headers={"traceparent": traceparent.encode("latin-1")}, text="a")  # type: ignore[dict-item]
    assert spans["server"].parent is None


@pytest.mark.parametrize(
    ("path", "request_", "status", "kind", "route"),
    [
        ("/tag", {"text": SECRET, SECRET: 1}, 422, "invalid_request", "/tag"),
        ("/tag", {"text": SECRET, "model": SECRET}, 404, "unknown_model", "/tag"),
        (f"/{SECRET}?{SECRET}", {}, 404, "not_found", "unknown"),
    ],
)
def test_a_callers_mistake_is_no_error_of_ours(
    traced: Traced, path: str, request_: dict[str, Any], status: int, kind: str, route: str
) -> None:
    server = traced.spans_of(path, **request_)["server"]
    assert server.name == f"POST {route}"
    assert server.attributes["http.response.status_code"] == status
    assert server.attributes["error.type"] == kind
    assert server.status.status_code is StatusCode.UNSET


def test_a_failure_is_an_error_and_tells_nothing_of_the_text(traced: Traced) -> None:
    traced.session.error = ValueError(SECRET)
    server = traced.spans_of("/tag", text=SECRET)["server"]
    assert server.status.status_code is StatusCode.ERROR
    assert server.attributes["error.type"] == "model_failed"


def test_no_span_of_anything_holds_a_word_of_the_text(traced: Traced) -> None:
    for path in ("/tag", "/classify", "/translate"):
        traced.spans_of(path, text=SECRET, headers={"tracestate": "a=1", "baggage": "who=Alice"})
        assert traced.spans
        told = json.dumps([json.loads(span.to_json()) for span in traced.spans])
        assert not [word for word in SECRET.split() if word in told]


def test_probes_and_made_up_methods_make_no_noise(traced: Traced) -> None:
    traced.exporter.clear()
    for path in ("/health/live", "/health/ready", "/metrics"):
        traced.client.get(path)
    assert traced.spans == ()
    traced.client.request("ALICE", "/tag")
    assert [span.name for span in traced.spans] == ["_OTHER unknown"]


def test_the_log_has_the_id_of_the_trace(traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "service")
    traced.spans_of("/tag", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}, text="a")
    [line] = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    assert line["trace_id"] == TRACE


def test_what_is_not_sampled_has_an_id_and_no_spans(models: Path, caplog: pytest.LogCaptureFixture) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(sampler=ALWAYS_OFF)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    caplog.set_level(logging.INFO, "service.requests")
    app = create_app(settings_for(models), open_session=OpenFake(FakeSession()), tracer=Tracer(lambda: provider))
    with TestClient(app) as client:
        wait_until(lambda: is_ready(client))
        client.post("/tag", json={"text": "a"})
    assert exporter.get_finished_spans() == ()
    assert len(json.loads(JsonFormatter().format(caplog.records[-1]))["trace_id"]) == 32


def test_the_provider_is_opened_by_the_one_that_serves_and_shut_down_with_it(models: Path) -> None:
    opened: list[TracerProvider] = []

    class Provider(TracerProvider):
        def shutdown(self) -> None:
            opened.remove(self)
            super().shutdown()

    def open_provider() -> TracerProvider:
        opened.append(Provider())
        return opened[0]

    app = create_app(settings_for(models), open_session=OpenFake(FakeSession()), tracer=Tracer(open_provider))
    assert not opened  # a fork might still come
    with TestClient(app):
        assert opened
    assert not opened


def test_off_is_nothing() -> None:
    assert choose_tracer("off").begin([(b"traceparent", b"x")]) is NO_TRACE


@pytest.mark.parametrize(("tracing", "loaded"), [("off", False), ("otlp", True)])
def test_the_sdk_is_loaded_only_where_it_is_wanted(tracing: str, loaded: bool) -> None:
    program = f"""
import sys
from pathlib import Path
from service.app import create_app
from service.settings import Settings
create_app(Settings(tracing={tracing!r}, device="cpu", models_dir=Path("nowhere")))
sys.exit(("opentelemetry.sdk" in sys.modules) is not {loaded})
"""  # Litestar itself loads the interfaces, but nothing that does anything
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False).returncode == 0
