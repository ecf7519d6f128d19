"""Hooks of the documentation site: pages that are made of the code, and links that lead out of docs/.

The Markdown of docs/ is written for readers of the repository, so it links to files beside docs/ too. On the site such
a link leads to the page made of that file, if there is one, or to the repository (``repo_url`` of mkdocs.yml); without
a repository only its text is left. The site begins with the repository's README.
"""

from __future__ import annotations

import fnmatch
import os
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pages import SOURCES, generated_files

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^\s*```")
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\((?!\w+:)([^)#\s]+)(#[^)\s]+)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Expand the patterns of the navigation."""
    config.nav = _expanded(config.nav or [])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of the code."""
    if index := files.get_file_from_path("README.md"):  # the page documents.md
        files.remove(index)
    for uri, content in generated_files().items():
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite the links of a page that lead out of docs/, or to a folder."""
    source = SOURCES.get(page.file.src_uri, DOCS / page.file.src_uri)

    def rewritten(link: re.Match[str]) -> str:
        text, target, anchor = link.groups(default="")
        uri = page.file.src_uri
        if (inside := _uri_of((source.parent / target).resolve(), files)) is not None:
            return f"{text}({os.path.relpath(inside, Path(uri).parent)}{anchor})"
        return _outside(text, (source.parent / target).resolve(), config.repo_url)

    lines, is_code = markdown.split("\n"), False
    for place, line in enumerate(lines):
        is_code ^= bool(FENCE.match(line))
        lines[place] = line if is_code else LINK.sub(rewritten, line)
    return "\n".join(lines)


def _uri_of(target: Path, files: Files) -> str | None:
    """Return the address on the site of a file of the repository; None if it is not there."""
    made_of = {source: uri for uri, source in SOURCES.items()}
    inside = target.relative_to(DOCS).as_posix() if target.is_relative_to(DOCS) else ""
    return made_of.get(target) or (inside if files.get_file_from_path(inside) else None)


def _outside(text: str, target: Path, repository: str | None) -> str:
    """Return a link to a file that is not on the site."""
    if repository and target.is_relative_to(ROOT):
        return f"{text}({repository.rstrip('/')}/tree/main/{target.relative_to(ROOT).as_posix()})"
    return text.removeprefix("[").removesuffix("]")


def _expanded(entries: list[Any]) -> list[Any]:
    """Return entries of a navigation with each pattern replaced by the files that match it."""
    known = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} | generated_files().keys()
    found: list[Any] = []
    for entry in entries:
        [(title, inside)] = entry.items() if isinstance(entry, dict) else [(None, entry)]
        if isinstance(inside, list):
            found.append({title: _expanded(inside)})
        elif "*" not in inside:
            found.append(entry)
        elif matches := sorted(fnmatch.filter(known, inside)):
            found += [{title: matches}] if title else matches
    return found
