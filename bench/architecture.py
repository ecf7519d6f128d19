"""Draws the pictures of ``docs/architecture.md`` from the code: rooms and their imports, and the life of a request.

    python -m bench.architecture docs/architecture.md

Both are Mermaid diagrams, which GitHub and most editors show. ``tests/test_architecture.py`` holds that the document
says what the code does.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
# From the sockets to the errors: a room may import itself and what stands after it.
ROOMS = (
    "serving", "app", "api", "models", "predictors", "decoding", "scheduling", "runtime", "bundle", "text", "errors",
)  # fmt: skip
LEAVES = ("settings", "metrics", "telemetry", "lifecycle", "logs", "api_keys")  # any room may import them
BLOCK = re.compile(r"(<!-- drawn: (\w+) -->\n```mermaid\n).*?(```\n)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An imported module: ``service/api/tag.py`` line 3 imports ``service.errors``."""

    path: str
    line: int
    module: str

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    @property
    def room(self) -> str:
        """Room that is imported: ``text`` of ``service.text.spans``."""
        return [*self.module.split("."), "", ""][1]

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"


def room_of(path: str) -> str:
    """Return the room of a file: ``service/api/tag.py`` is in ``api``, ``service/app.py`` is ``app``."""
    return path.split("/")[1].removesuffix(".py")


def imports_under(folder: str) -> list[Import]:
    """Return every import of the Python files in a folder of the project."""
    files = sorted((ROOT / folder).rglob("*.py"))
    paths = {file: file.relative_to(ROOT).as_posix() for file in files}
    return [found for file, path in paths.items() for found in imports_of(file.read_text("utf-8"), path)]


def imports_of(source: str, path: str) -> Iterator[Import]:
    """Yield every import of a file, those inside functions and under ``TYPE_CHECKING`` included."""
    package = tuple(Path(path).parent.parts)
    for node in ast.walk(ast.parse(source, path)):
        for module in _modules_named(node, package):
            yield Import(path=path, line=getattr(node, "lineno", 0), module=module)


def _modules_named(node: ast.AST, package: tuple[str, ...]) -> list[str]:
    """Return the modules an import may bring in, relative ones resolved; ``from service import text`` names two."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else ()
        base = ".".join([*above, *filter(None, [node.module])])
        inner = [f"{base}.{alias.name}" for alias in node.names] if base in {"service", "training"} else []
        return [base, *inner]
    return []


def rooms_picture() -> str:
    """Return the rooms of the service, with their sizes, and an arrow for each pair of which one imports the other."""
    arrows = Counter(
        (room_of(each.path), each.room)
        for each in imports_under("service")
        if each.top == "service" and {room_of(each.path), each.room} <= set(ROOMS) and room_of(each.path) != each.room
    )
    lines = ["flowchart LR"]
    lines += [f'    {room}["{room}<br/>{_size_of(room)}"]' for room in ROOMS]
    lines += [f"    {one} --> {other}" for one, other in sorted(arrows, key=lambda pair: tuple(map(ROOMS.index, pair)))]
    return "\n".join(lines) + "\n"


def _size_of(room: str) -> str:
    """Return the number of files and lines of a room, the lines rounded to hundreds."""
    place = ROOT / "service" / room
    files = list(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    lines = sum(file.read_text("utf-8").count("\n") for file in files)
    return f"{len(files)} file{'s' * (len(files) > 1)}, {max(100, round(lines, -2)):,} lines"
