"""GET /schema: the API's description, OpenAPI 3.1 as JSON and YAML, and a page to read it on and try it.

Nothing is fetched from elsewhere: the page's script is served from here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litestar import Request, Response, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin, YamlRenderPlugin

from service.api.openapi_details import Json, complete
from service.errors import UnknownPathError
from service.models.cards import Limits

VERSION = "0.1.0"
WEB = Path(__file__).parents[1] / "web"
SCRIPT = "rapidoc-min.js"


class Description:
    """The OpenAPI document, made once when it is first asked for."""

    def __init__(self, limits: Limits, keys: Mapping[str, Json]) -> None:
        self._limits = limits
        self._keys = keys
        self._document: Json = {}

    def of(self, generated: Json) -> Json:
        if not self._document:
            self._document = complete(generated, self._limits, self._keys)
        return self._document


class JsonPlugin(JsonRenderPlugin):
    def __init__(self, description: Description) -> None:
        super().__init__()
        self._description = description

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:
        return super().render(request, self._description.of(openapi_schema))


class YamlPlugin(YamlRenderPlugin):
    def __init__(self, description: Description) -> None:
        super().__init__()
        self._description = description

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:
        return super().render(request, self._description.of(openapi_schema))


class PagePlugin(OpenAPIRenderPlugin):
    """Serves RapiDoc's page and its script, which is a file of ours."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:
        return (WEB / "schema.html").read_bytes()

    def receive_router(self, router: Router) -> None:
        router.register(script)


@get(f"/{SCRIPT}", include_in_schema=False, sync_to_thread=True)
def script() -> Response[bytes]:
    """Serve the script. It is read when asked for: nothing else needs its megabyte in memory."""
    headers: Mapping[str, str] = {"cache-control": "max-age=86400"}
    return Response((WEB / "rapidoc" / SCRIPT).read_bytes(), media_type="text/javascript", headers=headers)


def describe_api(limits: Limits, keys: Mapping[str, Json]) -> OpenAPIConfig:
    """Configure the API's description; ``keys`` are the ways to send a key, where one is needed."""
    description = Description(limits, keys)
    return OpenAPIConfig(
        title="Ribbon",
        version=VERSION,
        description="Small recurrent networks for language. Failures are problem documents (RFC 9457).",
        render_plugins=[PagePlugin(), JsonPlugin(description), YamlPlugin(description)],
        openapi_router=Router("/schema", route_handlers=[], include_in_schema=False, before_request=_refuse_unknown),
        use_handler_docstrings=True,
    )


def _refuse_unknown(request: Request[Any, Any, Any]) -> None:
    """Raise UnknownPathError for paths below /schema: Litestar would answer with a page of its own."""
    if request.path_params:
        raise UnknownPathError("nothing lives at this path; GET /schema lists what there is")
