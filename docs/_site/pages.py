"""Pages of the documentation site that are made of the code and of files beside docs/."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import openapi
import package

from service import settings

ROOT = Path(__file__).parents[2]
CARDS = sorted((ROOT / "models").glob("*/CARD.md"))
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
# The file that a page is made of, by the page's address: links in it are relative to that file.
SOURCES: Mapping[str, Path] = {
    "index.md": ROOT / "README.md",
    "documents.md": ROOT / "docs/README.md",
    "changelog.md": ROOT / "CHANGELOG.md",
    **{f"models/{card.parent.name}.md": card for card in CARDS},
    **{f"notebooks/{notebook.stem}.md": notebook for notebook in NOTEBOOKS},
}


@cache
def generated_files() -> dict[str, str]:
    """Return the content of each page by its address, and the description of the API as a file."""
    document = openapi.document()
    pages = {uri: source.read_text("utf-8") for uri, source in SOURCES.items() if source.suffix == ".md"}
    pages |= {f"notebooks/{path.stem}.md": "\n".join(_notebook_lines(path)) for path in NOTEBOOKS}
    return (
        pages
        | package.pages()
        | {
            "models/index.md": "\n".join(_model_lines()),
            "reference/openapi.json": json.dumps(document, indent=1),
            "reference/openapi.md": "\n".join(openapi.lines(document)),
            "reference/settings.md": "\n".join(_setting_lines()),
        }
    )


def _setting_lines() -> Iterator[str]:
    yield "# Settings\n"
    yield "Environment variables, read once at the start. [Operations](../operations.md#settings) has more.\n"
    yield settings.table()


def _model_lines() -> Iterator[str]:
    yield "# Models that ship\n"
    yield "| Model | Version | Task | Licence | Commercial use |"
    yield "| --- | --- | --- | --- | --- |"
    for card in CARDS:
        manifest = json.loads((card.parent / "manifest.json").read_text("utf-8"))
        use = {True: "yes", False: "no", None: "not said"}[manifest.get("commercial_use")]
        name, version = manifest["name"], manifest["version"]
        yield f"| [{name}]({card.parent.name}.md) | {version} | {manifest['task']} | {manifest['licence']} | {use} |"


def _notebook_lines(path: Path) -> Iterator[str]:
    """Yield a notebook as Markdown: its text, its code, and what the code printed and drew."""
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield f"{source}\n"
        elif source:
            yield f"```python\n{source}\n```\n"
            for output in cell.get("outputs", ()):
                yield from _output_lines(output)
    yield f"The notebook itself: [{path.name}]({path.name})."


def _output_lines(output: Mapping[str, Any]) -> Iterator[str]:
    data = output.get("data", {})
    if "image/png" in data:
        encoded = "".join(data["image/png"]).strip()
        yield f'<img alt="what the code above draws" src="data:image/png;base64,{encoded}">\n'
    elif text := "".join(output.get("text") or data.get("text/plain", "")).rstrip():
        yield f"```text\n{text}\n```\n"
