"""Files below /schema: the API's description as JSON and YAML, and a page to read it on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from litestar import MediaType, Request, Response, Router, get
from litestar.concurrency import sync_to_thread
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin, YamlRenderPlugin

from service.errors import UnknownPathError

Json = dict[str, Any]
WEB = Path(__file__).parents[1] / "web"
SCRIPT = "rapidoc-min.js"
RENDERERS = (JsonRenderPlugin(), YamlRenderPlugin())


class DescriptionFiles:
    """The API's description, in each form made once, on a thread.

    Litestar's handlers would make it on the event loop: a tenth of a second, and of YAML for every request.
    """

    def __init__(self, complete: Callable[[Json], None]) -> None:
        self._complete = complete
        self._lock = Lock()
        self._document: Json | None = None
        self._files: dict[OpenAPIRenderPlugin, bytes] = {}

    async def answer(self, request: Request[Any, Any, Any]) -> Response[bytes] | None:
        """Answer a request below /schema, before its handler. Raises UnknownPathError for paths that nothing lives at:
        Litestar would answer with a page of its own."""
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
