"""The documents lead somewhere: their index is whole, and every link, program and metric they name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.metrics import Metrics

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
WRITTEN = [
    *sorted(DOCS.rglob("*.md")),
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted(ROOT.glob("models/*/CARD.md")),
]
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")
MODULE = re.compile(r"python -m ((?:service|training|bench|deploy|tests)\b[\w.]*)(?<!\.)")
# They may name programs by the folders of tests in which they once were.
HISTORIES = ("CHANGELOG.md", "results.md")
# The card of a published model names programs as they were called then; a table of the changelog says their names now.
RENAMED = dict(
    re.findall(
        r"^\| `(training\.[\w.]+)` \| `(training\.[\w.]+)` \|$",
        (ROOT / "CHANGELOG.md").read_text("utf-8"),
        re.MULTILINE,
    )
)
each_document = pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))


def anchors(text: str) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> Iterator[str]:
    for link, anchor in LINK.findall(path.read_text("utf-8")):
        target = path.parent / link if link else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            yield f"{link}#{anchor}"


def is_program(module: str) -> bool:
    path = ROOT / module.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


@each_document
def test_every_link_leads_somewhere(path: Path) -> None:
    assert list(broken_links(path)) == []


@each_document
def test_every_program_that_is_named_is_there(path: Path) -> None:
    named = MODULE.findall(path.read_text("utf-8"))
    if path.name in HISTORIES:
        named = [module for module in named if not module.startswith("tests.")]
    names = RENAMED if path.name == "CARD.md" else {}
    assert [module for module in named if not is_program(names.get(module, module))] == []


def test_every_program_of_the_table_of_new_names_is_there() -> None:
    assert [module for module in RENAMED.values() if not is_program(module)] == []
    assert "training.tagger.train" in RENAMED.values()


@each_document
def test_every_goal_of_make_that_is_named_is_there(path: Path) -> None:
    goals = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", path.read_text("utf-8"), re.MULTILINE)) <= goals


def test_the_index_names_every_document() -> None:
    index = DOCS / "README.md"
    linked = {(DOCS / link).resolve() for link, _ in LINK.findall(index.read_text("utf-8"))}
    assert [str(path) for path in DOCS.rglob("*.md") if path != index and path not in linked] == []


def test_every_metric_is_explained() -> None:
    explained = set(re.findall(r"`(ribbon_\w+)`", (DOCS / "operations.md").read_text("utf-8")))
    declared = re.findall(r"^# TYPE (ribbon_\w+) \w+$", Metrics().render().decode(), re.MULTILINE)
    assert {name for name in declared if not name.endswith("_created")} <= explained


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# One\n[here](#one) [there](b.md) [gone](a.md#two) [web](https://a.b/c)\n")
    assert list(broken_links(tmp_path / "a.md")) == ["b.md#", "a.md#two"]
