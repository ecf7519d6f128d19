"""GET /schema: the API's description, OpenAPI 3.1, and a page to read it on."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import ScalarRenderPlugin

from service.errors import UnknownPathError

VERSION = "0.1.0"


def describe_api() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Ribbon",
        version=VERSION,
        description="Small recurrent networks for language. Failures are problem documents (RFC 9457).",
        render_plugins=[ScalarRenderPlugin()],
        openapi_router=Router("/schema", route_handlers=[], include_in_schema=False, before_request=_refuse_unknown),
        use_handler_docstrings=True,
    )


def _refuse_unknown(request: Request[Any, Any, Any]) -> None:
    """Litestar would answer a page of its own to any path below /schema; ours has the form of all failures."""
    if request.path_params:
        raise UnknownPathError("nothing lives at this path; GET /schema lists what there is")
