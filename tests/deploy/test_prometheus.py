"""Rules, alerts and Alertmanager's routes, held against promtool and amtool."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bench.process import DEPLOY, ROOT
from tests.programs import check, need

yaml = pytest.importorskip("yaml")
PROMETHEUS = DEPLOY / "prometheus"
SCENARIOS = sorted((PROMETHEUS / "tests").glob("*.yml"))
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text("utf-8")


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


ALERTS = {
    rule["alert"]: rule for group in loaded(PROMETHEUS / "rules" / "alerts.yml")["groups"] for rule in group["rules"]
}
CASES = [case for path in SCENARIOS for test in loaded(path)["tests"] for case in test.get("alert_rule_test", [])]


def test_the_configuration_is_valid() -> None:
    check([need("promtool"), "check", "config", str(PROMETHEUS / "prometheus.yml")])


def test_the_rules_are_valid_and_nothing_in_them_is_doubtful() -> None:
    files = [str(path) for path in sorted((PROMETHEUS / "rules").glob("*.yml"))]
    check([need("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *files])


def test_the_alerts_fire_and_keep_silent_as_the_scenarios_say() -> None:
    check([need("promtool"), "test", "rules", *map(str, SCENARIOS)])


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_scenario_in_which_it_fires_and_one_in_which_it_does_not(alert: str) -> None:
    cases = [case for case in CASES if case["alertname"] == alert]
    assert any(case["exp_alerts"] for case in cases), f"no scenario fires {alert}"
    assert any(not case["exp_alerts"] for case in cases), f"no scenario leaves {alert} silent"


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_how_urgent_it_is_and_where_its_runbook_stands(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks.md#{alert.lower()}"
    section = re.search(rf"^## {alert}\n\n(Page|Ticket)\. ", RUNBOOKS, re.MULTILINE)
    assert section, f"docs/runbooks.md has no section {alert} that begins with its severity"
    assert section[1].lower() == rule["labels"]["severity"]


def test_there_is_no_runbook_without_an_alert() -> None:
    assert set(re.findall(r"^## (\w+)$", RUNBOOKS, re.MULTILINE)) == set(ALERTS)


def test_alertmanagers_configuration_is_valid() -> None:
    check([need("amtool"), "check-config", str(DEPLOY / "alertmanager" / "alertmanager.yml")])


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_reaches_the_receiver_of_its_severity(alert: str) -> None:
    severity = ALERTS[alert]["labels"]["severity"]
    route = [need("amtool"), "config", "routes", "test", f"--config.file={DEPLOY}/alertmanager/alertmanager.yml"]
    assert check([*route, f"alertname={alert}", f"severity={severity}", "job=ribbon"]).strip() == severity


def test_what_silences_alerts_names_alerts_that_exist() -> None:
    rules = loaded(DEPLOY / "alertmanager" / "alertmanager.yml")["inhibit_rules"]
    named = re.findall(
        r"Ribbon\w+", " ".join(" ".join(each["source_matchers"] + each["target_matchers"]) for each in rules)
    )
    assert named
    assert set(named) <= set(ALERTS)
