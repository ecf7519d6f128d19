"""Draws the pictures of ``docs/architecture.md`` from the code: rooms and their imports, and the life of a request.

    python -m bench.architecture

Both are Mermaid diagrams, which GitHub and most editors show. ``tests/test_architecture.py`` holds that the document
shows what the code does.
"""

from __future__ import annotations

import ast
import asyncio
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import FrameType

from bench.path import BODIES, open_app

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/architecture.md"
# From the sockets to the errors: a room may import itself and those after it.
ROOMS = (
    "serving", "app", "api", "models", "predictors", "decoding", "scheduling", "runtime", "bundle", "text", "errors",
)  # fmt: skip
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
        """Room that is imported: ``text`` of ``service.text.spans``. The importing file's own is :func:`room_of`."""
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
    """Return the rooms of the service and an arrow for each pair of which one imports the other; the errors, which all
    rooms import, are left out."""
    arrows = {(room_of(each.path), each.room) for each in imports_under("service") if each.top == "service"}
    drawn_rooms = set(ROOMS) - {"errors"}
    pairs = [pair for pair in arrows if pair[0] != pair[1] and set(pair) <= drawn_rooms]
    ordered = sorted(pairs, key=lambda pair: [ROOMS.index(room) for room in pair])
    return "\n".join(["flowchart LR", *(f"    {one} --> {other}" for one, other in ordered)]) + "\n"


def request_picture() -> str:
    """Return the files that ``POST /tag`` with one short text passes, in the order in which they are first entered,
    those of one room that follow each other in one box."""
    files = [path for path in asyncio.run(_files_of("/tag")) if room_of(f"service/{path}") in ROOMS]
    boxes = [(room, list(group)) for room, group in groupby(files, key=lambda path: room_of(f"service/{path}"))]
    lines = ["flowchart TB", '    0["serving: protocol"]']
    for place, (room, paths) in enumerate(boxes, 1):
        names = ", ".join(Path(path).stem for path in paths)
        lines.append(f'    {place - 1} --> {place}["{room}: {names}"]')
    return "\n".join(lines) + "\n"


async def _files_of(route: str) -> Sequence[str]:
    """Return the files of the service that a request to a running application enters, in order."""
    service, entered = f"{ROOT / 'service'}/", dict[str, None]()

    def note(frame: FrameType, event: str, _: object) -> None:
        path = frame.f_code.co_filename
        if is_on and event == "call" and path.startswith(service):
            entered.setdefault(path.removeprefix(service))

    is_on = False
    threading.setprofile(note)  # for the threads that run models, which begin with the first request
    try:
        async with open_app() as ask:
            await ask(route, BODIES[route])
            is_on = True
            sys.setprofile(note)
            await ask(route, BODIES[route])
            is_on = False
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return list(entered)


PICTURES = {"rooms": rooms_picture, "request": request_picture}


def drawn(document: str) -> str:
    """Return the document with its pictures drawn anew."""
    return BLOCK.sub(lambda block: block[1] + PICTURES[block[2]]() + block[3], document)


def main() -> None:
    DOCUMENT.write_text(drawn(DOCUMENT.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
