"""What a dashboard is made of: a few lines a panel here, Grafana's JSON out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS, HEIGHT = 24, 8
HERE = 'instance=~"$instance"'  # every selector of a metric of an instance carries it


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedAbove:
    """Red from this value on."""

    value: float

    def steps(self) -> list[dict[str, Any]]:
        return [{"color": "green", "value": None}, {"color": "red", "value": self.value}]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedBelow:
    """Red under this value."""

    value: float

    def steps(self) -> list[dict[str, Any]]:
        return [{"color": "red", "value": None}, {"color": "green", "value": self.value}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture. ``says``: what it shows; ``when_red``: what to do then."""

    title: str
    unit: str
    queries: Sequence[Query]
    says: str
    red: RedAbove | RedBelow
    when_red: str
    kind: str = "timeseries"
    red_series: str = ""  # a pattern: series of this name are drawn red

    def json(self, number: int, place: dict[str, int]) -> dict[str, Any]:
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": f"{self.says} When red: {self.when_red}",
            "datasource": SOURCE,
            "gridPos": place,
            "targets": [_target(index, query) for index, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": self._defaults(), "overrides": self._overrides()},
            "options": _OPTIONS[self.kind],
        }

    def _defaults(self) -> dict[str, Any]:
        field_config = {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": self.red.steps()}}
        if self.kind != "timeseries":
            return field_config | {"color": {"mode": "thresholds"}}
        drawn = {"fillOpacity": 10, "showPoints": "never", "thresholdsStyle": {"mode": "dashed"}}
        return field_config | {"min": 0, "custom": drawn}

    def _overrides(self) -> list[dict[str, Any]]:
        if not self.red_series:
            return []
        matcher = {"id": "byRegexp", "options": self.red_series}
        return [{"matcher": matcher, "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": "red"}}]}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    title: str
    panels: Sequence[Panel] = field(default_factory=tuple)


_OPTIONS: dict[str, dict[str, Any]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background", "graphMode": "area"},
    "table": {"showHeader": True},
}


def dashboard(
    *, uid: str, title: str, says: str, rows: Sequence[Row], variables: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """A whole dashboard, laid out row by row from left to right."""
    return {
        "uid": uid,
        "title": title,
        "description": says,
        "tags": ["ribbon"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [*_VARIABLES, *variables]},
        "links": [{"type": "dashboards", "title": "Ribbon", "tags": ["ribbon"], "asDropdown": False}],
        "panels": list(_laid_out(rows)),
    }


def _laid_out(rows: Sequence[Row]) -> Iterable[dict[str, Any]]:
    number, y = 1, 0
    for row in rows:
        place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        yield {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
        number, y = number + 1, y + 1
        width = COLUMNS // len(row.panels)
        for column, panel in enumerate(row.panels):
            yield panel.json(number, {"x": column * width, "y": y, "w": width, "h": HEIGHT})
            number += 1
        y += HEIGHT


def _target(index: int, query: Query) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + index),
        "datasource": SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
    }


_VARIABLES = [
    {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}},
    {
        "name": "instance",
        "label": "Instance",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": 'label_values(up{job="ribbon"}, instance)', "refId": "instance"},
        "definition": 'label_values(up{job="ribbon"}, instance)',
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    },
]


def a_number(name: str, label: str, default: str) -> dict[str, Any]:
    """A variable that a person types."""
    current = {"text": default, "value": default}
    return {"name": name, "label": label, "type": "textbox", "query": default, "current": current}
