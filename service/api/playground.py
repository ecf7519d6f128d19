"""GET /: the playground, a page on which people try the models, and the files that it loads.

The files are read once at the start, under 150 KB in all. Browsers keep them and ask with ``If-None-Match`` whether
they have changed, so that after an update nobody has an old script beside a new page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from service.api.access import OPEN
from service.api.operations import read_route

FOLDER = Path(__file__).parents[1] / "web" / "playground"
PAGE = "index.html"
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".html": "text/html",
        ".css": "text/css",
        ".js": "text/javascript",
        ".json": "application/json",
        ".svg": "image/svg+xml",
    }
)
# Scripts and styles are files of ours, none is written into the page; no script may turn text into markup.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
PAGE_HEADERS: Mapping[str, str] = MappingProxyType({"content-security-policy": POLICY, "x-frame-options": "DENY"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFile:
    """A file of the playground as it is answered."""

    content: bytes
    media_type: str
    headers: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> WebFile:
        """Read a file and make its entity tag."""
        content = path.read_bytes()
        caching = {"cache-control": "no-cache", "etag": f'"{hashlib.sha256(content).hexdigest()[:16]}"'}
        more = PAGE_HEADERS if path.name == PAGE else {}
        return cls(content=content, media_type=MEDIA_TYPES[path.suffix], headers={**caching, **more})

    def answer(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Answer with the file, or with 304 if the browser has it already."""
        known = request.headers.get("if-none-match", "")
        if self.headers["etag"] in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            return Response(b"", status_code=304, headers=self.headers, media_type=self.media_type)
        return Response(self.content, headers=self.headers, media_type=self.media_type)


def playground_routes() -> list[HTTPRouteHandler]:
    """Make the routes of the page and of its files. They are open: the page asks for a key if one is needed."""
    files = {path.name: WebFile.read(path) for path in sorted(FOLDER.iterdir()) if path.suffix in MEDIA_TYPES}
    page = files.pop(PAGE)
    return [_route("/", page), *(_route(f"/playground/{name}", file) for name, file in files.items())]


def _route(path: str, file: WebFile) -> HTTPRouteHandler:
    @read_route(path, opt=OPEN, include_in_schema=False)
    def playground(request: Request[Any, Any, Any]) -> Response[bytes]:
        return file.answer(request)

    return playground
