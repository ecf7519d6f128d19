"""A real Prometheus watches two running services, one with several workers: every expression of the dashboards, the
rules and the autoscaler is held against it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bench.process import DEPLOY, SERVICE, Program, answers, ask, free_ports, wait_for
from tests.programs import need

yaml = pytest.importorskip("yaml")
pytestmark = pytest.mark.tools

LONG = "The weather was fine and the streets were full of people who had come to see the king. " * 4
LOAD = [  # path, body, the deadline in milliseconds
    ("/tag", {"text": ["Kim moved to Hong Kong on Friday.", "It rains."]}, 30_000),
    ("/classify", {"text": "I love this book."}, 30_000),
    ("/translate", {"text": LONG, "target": "es"}, 30_000),
    ("/tag", {"text": LONG}, 0.001),  # refused at once
    ("/tag", {"text": 3}, 30_000),  # the caller's mistake
]
# What a person would choose on the dashboards.
CHOSEN = {"$__rate_interval": "1m", "$instance": ".*", "$cores": "2"}
SELECTOR = re.compile(r"\b(?:ribbon_\w+|process_\w+|up\b|(?:job|instance)\w*:[\w:]+)(?:\{[^}]*\})?")


def dashboard_expressions() -> dict[str, str]:
    """Panel and target -> PromQL."""
    found = {}
    for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel.get("targets", []):
                found[f"{path.stem}: {panel['title']} {target['refId']}"] = target["expr"]
    return found


def rules(name: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "rules" / name).read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def watching(folder: Path, *, services: Sequence[int], prometheus: int) -> Path:
    """The configuration that ships, with these addresses and every interval a second."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / "rules" / "*.yml")]
    del config["alerting"]
    ports = {"ribbon": services, "prometheus": [prometheus]}
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in ports[job["job_name"]]]}]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config), "utf-8")
    return path


def put_load_on(base: str, stop: threading.Event) -> None:
    while not stop.is_set():
        for path, body, milliseconds in LOAD:
            ask(f"{base}{path}", body, timeout=30, headers={"X-Request-Timeout-Ms": str(milliseconds)})
        hang_up_on(base)
        ask(f"{base}/health/ready")
        stop.wait(0.1)


def hang_up_on(base: str) -> None:
    """Ask for much, and leave before there is an answer."""
    connection = HTTPConnection(base.removeprefix("http://"), timeout=10)
    body = json.dumps({"text": LONG, "target": "de", "beam_size": 16})
    connection.request("POST", "/translate", body, {"content-type": "application/json"})
    time.sleep(0.03)
    connection.close()


@pytest.fixture(scope="module")
def query(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """Asks a Prometheus that has watched a service under load for some seconds."""
    folder = tmp_path_factory.mktemp("prometheus")
    one, several, port = free_ports(3)
    prometheus = f"http://127.0.0.1:{port}"
    config = watching(folder, services=(one, several), prometheus=port)
    bases = [f"http://127.0.0.1:{each}" for each in (one, several)]
    watcher = Program(
        command=[
            need("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        ready=f"{prometheus}/-/ready",
    )

    def asked(expression: str) -> list[dict[str, Any]]:
        status, answer = ask(f"{prometheus}/api/v1/query?{urlencode({'query': expression})}")
        assert status == 200, f"{expression}\n{answer.decode()}"
        return json.loads(answer)["data"]["result"]

    stop = threading.Event()
    with serving(one, workers=1), serving(several, workers=2), watcher:
        loading = [threading.Thread(target=put_load_on, args=(base, stop), daemon=True) for base in bases]
        for thread in loading:
            thread.start()
        try:
            wait_for(lambda: bool(asked("job:ribbon_slow:ratio_rate3d >= 0")), seconds=40, what="recorded ratios")
            wait_for(lambda: asked("sum(ribbon_decoder_steps_total) > 500") != [], seconds=40, what="translations")
            given_up = "count(rate(ribbon_decoder_cancelled_total[1m])) > 0"
            wait_for(lambda: asked(given_up) != [], seconds=40, what="sentences given up")
            stop.wait(5)
            yield asked
        finally:
            stop.set()
            for thread in loading:
                thread.join(35)


@contextlib.contextmanager
def serving(port: int, *, workers: int) -> Iterator[None]:
    """A service that has refused one request, before it was ready, if it says so in time."""
    base = f"http://127.0.0.1:{port}"
    chosen = {"RIBBON_PORT": str(port), "RIBBON_WORKERS": str(workers), "RIBBON_THREADS": "1"}
    environment = {**os.environ, **chosen, "RIBBON_LOG_LEVEL": "warning", "RIBBON_DEVICE": "cpu"}
    listening = f"{base}/health/live"
    with Program(command=SERVICE, ready=listening, environment=environment):
        early = ask(f"{base}/tag", LOAD[0][1])[0]
        assert early == 503 or workers > 1, "one process listens before its models are loaded"
        wait_for(lambda: answers(f"{base}/health/ready"), seconds=60, what="the service's readiness")
        yield


def numbers(result: list[dict[str, Any]]) -> list[float]:
    return [float(each["value"][1]) for each in result]


@pytest.mark.parametrize(("panel", "expression"), dashboard_expressions().items())
def test_a_panel_shows_something_under_load(query: Callable[..., Any], panel: str, expression: str) -> None:
    for variable, value in CHOSEN.items():
        expression = expression.replace(variable, value)
    shown = numbers(query(expression))
    assert shown, f"{panel} is empty: {expression}"
    assert any(math.isfinite(number) for number in shown), f"{panel} shows {shown}: {expression}"


def test_the_autoscalers_metric_has_a_value(query: Callable[..., Any]) -> None:
    values = yaml.safe_load((DEPLOY / "kubernetes" / "prometheus-adapter-values.yaml").read_text("utf-8"))
    (rule,) = values["rules"]["custom"]
    series = rule["seriesQuery"].partition("{")[0]  # the labels namespace and pod are the operator's
    chosen = {"<<.Series>>": series, "<<.LabelMatchers>>": 'job="ribbon"', "<<.GroupBy>>": "instance"}
    expression = rule["metricsQuery"]
    for placeholder, value in chosen.items():
        expression = expression.replace(placeholder, value)
    assert len(numbers(query(expression))) == 2


@pytest.mark.parametrize("name", [rule["record"] for rule in rules("recording.yml")])
def test_a_recording_rule_records(query: Callable[..., Any], name: str) -> None:
    assert any(math.isfinite(number) for number in numbers(query(name)))


@pytest.mark.parametrize("alert", rules("alerts.yml"), ids=lambda rule: rule["alert"])
def test_an_alert_looks_at_series_that_exist(query: Callable[..., Any], alert: dict[str, Any]) -> None:
    query(alert["expr"])  # parses and runs
    selectors = SELECTOR.findall(alert["expr"])
    assert selectors
    assert [selector for selector in selectors if not query(selector)] == []
