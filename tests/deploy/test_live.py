"""A real Prometheus watches a running service: every expression of the dashboards and the rules is held against it."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.deploy.programs import DEPLOY, Program, answers, ask, free_port, need, wait_for

yaml = pytest.importorskip("yaml")
pytestmark = pytest.mark.tools

LONG = "The weather was fine and the streets were full of people who had come to see the king. " * 4
LOAD = [  # path, body, the deadline in milliseconds
    ("/tag", {"text": ["Kim moved to Hong Kong on Friday.", "It rains."]}, 30_000),
    ("/classify", {"text": "I love this book."}, 30_000),
    ("/translate", {"text": LONG, "target": "es"}, 30_000),
    ("/translate", {"text": LONG, "target": "de", "beam_size": 16}, 20),  # given up
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


def watching(folder: Path, *, service: int, prometheus: int) -> Path:
    """The configuration that ships, with these addresses and every interval a second."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / "rules" / "*.yml")]
    del config["alerting"]
    addresses = {"ribbon": service, "prometheus": prometheus}
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{addresses[job['job_name']]}"]}]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config), "utf-8")
    return path


def put_load_on(base: str, stop: threading.Event) -> None:
    while not stop.is_set():
        for path, body, milliseconds in LOAD:
            ask(f"{base}{path}", body, timeout=30, headers={"X-Request-Timeout-Ms": str(milliseconds)})
        ask(f"{base}/health/ready")
        stop.wait(0.1)


@pytest.fixture(scope="module")
def query(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """Asks a Prometheus that has watched a service under load for some seconds."""
    folder = tmp_path_factory.mktemp("prometheus")
    service, port = free_port(), free_port()
    base, prometheus = f"http://127.0.0.1:{service}", f"http://127.0.0.1:{port}"
    config = watching(folder, service=service, prometheus=port)
    environment = {**os.environ, "RIBBON_PORT": str(service), "RIBBON_LOG_LEVEL": "warning"}
    serving = Program(command=[sys.executable, "-m", "service"], ready=f"{base}/health/live", environment=environment)
    database = f"--storage.tsdb.path={folder / 'data'}"
    watcher = Program(
        command=[need("prometheus"), f"--config.file={config}", database, f"--web.listen-address=127.0.0.1:{port}"],
        ready=f"{prometheus}/-/ready",
    )

    def asked(expression: str) -> list[dict[str, Any]]:
        status, answer = ask(f"{prometheus}/api/v1/query?{urlencode({'query': expression})}")
        assert status == 200, f"{expression}\n{answer.decode()}"
        return json.loads(answer)["data"]["result"]

    stop = threading.Event()
    with serving, watcher:
        assert ask(f"{base}/tag", LOAD[0][1])[0] == 503  # its models are not loaded yet: a failed request
        wait_for(lambda: answers(f"{base}/health/ready"), seconds=60, what="the service's readiness")
        loading = threading.Thread(target=put_load_on, args=(base, stop), daemon=True)
        loading.start()
        try:
            wait_for(lambda: bool(asked("job:ribbon_slow:ratio_rate3d >= 0")), seconds=40, what="recorded ratios")
            wait_for(lambda: asked("sum(ribbon_decoder_steps_total) > 500") != [], seconds=40, what="translations")
            stop.wait(5)
            yield asked
        finally:
            stop.set()
            loading.join(35)


def numbers(result: list[dict[str, Any]]) -> list[float]:
    return [float(each["value"][1]) for each in result]


@pytest.mark.parametrize(("panel", "expression"), dashboard_expressions().items())
def test_a_panel_shows_something_under_load(query: Callable[..., Any], panel: str, expression: str) -> None:
    for variable, value in CHOSEN.items():
        expression = expression.replace(variable, value)
    shown = numbers(query(expression))
    assert shown, f"{panel} is empty: {expression}"
    assert any(math.isfinite(number) for number in shown), f"{panel} shows {shown}: {expression}"


@pytest.mark.parametrize("name", [rule["record"] for rule in rules("recording.yml")])
def test_a_recording_rule_records(query: Callable[..., Any], name: str) -> None:
    assert any(math.isfinite(number) for number in numbers(query(name)))


@pytest.mark.parametrize("alert", rules("alerts.yml"), ids=lambda rule: rule["alert"])
def test_an_alert_looks_at_series_that_exist(query: Callable[..., Any], alert: dict[str, Any]) -> None:
    query(alert["expr"])  # parses and runs
    selectors = SELECTOR.findall(alert["expr"])
    assert selectors
    assert [selector for selector in selectors if not query(selector)] == []
