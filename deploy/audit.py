"""``python -m deploy.audit``: are weaknesses known in what the service is made of? Part of ``make check``.

pip-audit asks the Python Package Index about each package that serving needs, in the versions installed here. Where it
cannot be asked that is said, and is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
ANSWER_SECONDS, PATIENCE_SECONDS = 10, 300
COMMAND = (sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off")
OPTIONS = ("--format", "json", "--timeout", str(ANSWER_SECONDS), "--requirement")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to say, and whether the check fails."""

    lines: Sequence[str]
    status: int = 0


def installed(project: Path = PROJECT) -> Mapping[str, str]:
    """Name and version of every package that the project needs without extras, and of those that these need."""
    found: dict[str, str] = {}
    wanted = list(needs(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]))
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = distribution(name).version
            wanted += needs(distribution(name).requires or ())
    return dict(sorted(found.items()))


def needs(lines: Iterable[str]) -> Iterator[str]:
    """The names of those that this platform needs without extras."""
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def verdict(written: str, packages: Mapping[str, str]) -> Verdict:
    """Of what pip-audit wrote: nothing if it could not ask, and packages without an answer as skipped."""
    try:
        answers: list[dict[str, Any]] = json.loads(written)["dependencies"]
    except (ValueError, KeyError, TypeError):
        answers = []
    told = {answer["name"]: answer["vulns"] for answer in answers if "vulns" in answer}
    if not told:
        return Verdict(lines=["audit: the vulnerability service cannot be reached from here; nothing was checked"])
    bad = [f"audit: {known(name, packages[name], vulns)}" for name, vulns in told.items() if vulns]
    missing = sorted(set(packages) - set(told))
    partly = [f"audit: no answer about {', '.join(missing)}"] if missing else []
    good = [] if bad else [f"audit: nothing is known against {len(told)} packages"]
    return Verdict(lines=[*bad, *good, *partly], status=1 if bad else 0)


def known(name: str, version: str, vulns: Sequence[Mapping[str, Any]]) -> str:
    told = "; ".join(f"{vuln['id']}, mended in {', '.join(vuln['fix_versions']) or 'no version'}" for vuln in vulns)
    return f"{name} {version}: {told}"


def ask(packages: Mapping[str, str]) -> str:
    """What pip-audit says of them; nothing if it does not say it in time."""
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text("".join(f"{name}=={version}\n" for name, version in packages.items()), encoding="utf-8")
        try:
            ended = subprocess.run(
                [*COMMAND, *OPTIONS, str(requirements)],
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return ""
    return ended.stdout


def main() -> int:
    packages = installed()
    found = verdict(ask(packages), packages)
    sys.stdout.write("".join(f"{line}\n" for line in found.lines))
    return found.status


if __name__ == "__main__":
    sys.exit(main())
