"""The dashboards: what the scripts write, and what every panel must have."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from bench.process import DEPLOY, ROOT

FOLDER = DEPLOY / "grafana" / "dashboards"
DASHBOARDS = {path.name: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}
PANELS = [
    pytest.param(panel, id=f"{name}:{panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]
UNITS = {"reqps", "percentunit", "s", "bytes", "ops", "dateTimeFromNow", "none"}


def test_the_files_are_what_the_scripts_write() -> None:
    folder = DEPLOY / "grafana"
    texts = "{name: write.text_of(dashboard) for name, dashboard in write.DASHBOARDS.items()}"
    show = f"import sys, json; sys.path.insert(0, {str(folder)!r}); import write; print(json.dumps({texts}))"
    done = subprocess.run([sys.executable, "-B", "-c", show], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")}


def test_both_dashboards_are_there_under_names_of_their_own() -> None:
    assert set(DASHBOARDS) == {"service.json", "capacity.json"}
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == 2


@pytest.mark.parametrize("name", DASHBOARDS)
def test_ids_are_unique_and_panels_do_not_overlap(name: str) -> None:
    panels = DASHBOARDS[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", DASHBOARDS)
def test_data_source_and_instance_are_variables(name: str) -> None:
    variables = {each["name"]: each["type"] for each in DASHBOARDS[name]["templating"]["list"]}
    assert variables["datasource"] == "datasource"
    assert variables["instance"] == "query"
    used = set(re.findall(r"\$(\w+)", json.dumps([panel.get("targets") for panel in DASHBOARDS[name]["panels"]])))
    assert used - {"__rate_interval", "__auto"} <= set(variables)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_unit_a_red_and_says_what_to_do_then(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in UNITS or defaults["unit"].startswith("suffix: ")
    says, _, then = panel["description"].partition(" When red: ")
    assert len(says) > 20
    assert len(then) > 20
    assert "red" in [step["color"] for step in defaults["thresholds"]["steps"]]
    assert panel["datasource"]["uid"] == "${datasource}"
    assert all(target["datasource"]["uid"] == "${datasource}" and target["expr"] for target in panel["targets"])


@pytest.mark.parametrize("panel", PANELS)
def test_a_runbook_that_is_named_exists(panel: dict[str, Any]) -> None:
    runbooks = (ROOT / "docs" / "runbooks.md").read_text("utf-8")
    for named in re.findall(r"Runbook (\w+)", panel["description"], re.IGNORECASE):
        assert f"## {named}\n" in runbooks
