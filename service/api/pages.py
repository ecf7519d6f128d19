"""Pages for browsers and their files: the playground at ``/``, and the API's description below ``/schema``.

The playground's files are read once at the start, under 150 KB in all. Browsers keep them and ask with
``If-None-Match`` whether they have changed, so that after an update nobody has an old script beside a new page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any

from litestar import MediaType, Request, Response, Router, get
from litestar.concurrency import sync_to_thread
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin, YamlRenderPlugin

from service.api.access import OPEN
from service.api.operations import read_route
from service.errors import UnknownPathError

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


Json = dict[str, Any]
WEB = Path(__file__).parents[1] / "web"
SCRIPT = "rapidoc-min.js"
RENDERERS = (JsonRenderPlugin(), YamlRenderPlugin())


class DescriptionFiles:
    """The API's description, in each form made once, on a thread. Litestar's handlers would make it on the event loop:
    a tenth of a second, and of YAML for every request."""

    def __init__(self, complete: Callable[[Json], None]) -> None:
        self._complete = complete
        self._lock = Lock()
        self._document: Json | None = None
        self._files: dict[OpenAPIRenderPlugin, bytes] = {}

    async def answer(self, request: Request[Any, Any, Any]) -> Response[bytes] | None:
        """Answer a request below /schema before Litestar does. Raises UnknownPathError where nothing lives."""
        if request.path_params:
            raise UnknownPathError("nothing lives at this path; GET /schema lists what there is")
        paths = request.route_handler.paths
        if "/" in paths:
            return Response(page_of(request), media_type=MediaType.HTML)
        for renderer in RENDERERS:
            if not paths.isdisjoint(renderer.paths):
                content = await sync_to_thread(self._file, renderer, request)
                return Response(content, media_type=renderer.media_type)
        return None

    def _file(self, renderer: OpenAPIRenderPlugin, request: Request[Any, Any, Any]) -> bytes:
        with self._lock:
            if self._document is None:
                document = request.app.openapi_schema.to_schema()
                self._complete(document)
                self._document = document
            if renderer not in self._files:
                self._files[renderer] = renderer.render(request, self._document)
            return self._files[renderer]


class PagePlugin(OpenAPIRenderPlugin):
    """Path of the page, in place of Litestar's own pages, which would fetch fonts."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:
        return page_of(request)


def page_of(request: Request[Any, Any, Any]) -> bytes:
    """Return RapiDoc's page, whose script is a file of ours. Its links are relative to /schema."""
    page = (WEB / "schema.html").read_bytes()
    return page.replace(b'"schema/', b'"') if request.scope["raw_path"].endswith(b"/") else page


@get(f"/{SCRIPT}", include_in_schema=False, sync_to_thread=True)
def script() -> Response[bytes]:
    """Serve the script. It is read when asked for: nothing else needs its megabyte in memory."""
    headers: Mapping[str, str] = {"cache-control": "max-age=86400"}
    return Response((WEB / "rapidoc" / SCRIPT).read_bytes(), media_type="text/javascript", headers=headers)


def description_router(files: DescriptionFiles) -> Router:
    """Make the router that Litestar adds the paths of the description to."""

    async def answer(request: Request[Any, Any, Any]) -> Response[bytes] | None:  # Litestar copies what it is given
        return await files.answer(request)

    return Router("/schema", route_handlers=[script], include_in_schema=False, before_request=answer)
