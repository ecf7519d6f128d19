"""Write prometheusrule.yaml: the rules of deploy/prometheus in the operator's form. Run without arguments."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
RULES = HERE.parents[2] / "prometheus" / "rules"
HEAD = """\
# Written by write_rules.py from deploy/prometheus/rules: change them there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ribbon
  labels: {app.kubernetes.io/name: ribbon}
spec:
  groups:
"""


def text() -> str:
    """The groups of every file as they stand, indented."""
    lines: list[str] = []
    for path in sorted(RULES.glob("*.yml")):
        _, _, groups = path.read_text("utf-8").partition("groups:\n")
        lines += groups.splitlines()
    return HEAD + "".join(f"  {line}\n" if line else "\n" for line in lines)


if __name__ == "__main__":
    (HERE / "prometheusrule.yaml").write_text(text(), "utf-8")
    sys.stdout.write("wrote prometheusrule.yaml\n")
