"""Write dashboards/*.json: ``python deploy/grafana/write.py``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from capacity_dashboard import CAPACITY
from service_dashboard import SERVICE

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS = {"service.json": SERVICE, "capacity.json": CAPACITY}


def text_of(dashboard: dict[str, Any]) -> str:
    return json.dumps(dashboard, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, dashboard in DASHBOARDS.items():
        (FOLDER / name).write_text(text_of(dashboard), "utf-8")
