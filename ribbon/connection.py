"""Parts that both clients share: the address of a service, headers, and requests as httpx sends them."""

from __future__ import annotations

from collections.abc import Iterable

import httpx

from ribbon.calls import Send
from ribbon.errors import RibbonError, UnreachableError
from ribbon.retries import Retries

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_RETRIES = Retries()


def headers_of(api_key: str | None) -> dict[str, str]:
    """Return the headers of every request. Raises RibbonError if no header can hold the key."""
    if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
        raise RibbonError("a key is plain ASCII, and this one is not")
    return {"accept": "application/json, text/event-stream"} | ({"x-api-key": api_key} if api_key else {})


def address_of(url: str) -> httpx.URL:
    """Return the address of a service. Raises UnreachableError if it is none."""
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise UnreachableError(f"{url}: not an address ({error})") from error
    if address.scheme not in {"http", "https"} or not address.host:
        raise UnreachableError(f"{url}: not an address such as {DEFAULT_URL}")
    return address


def request_of(http: httpx.Client | httpx.AsyncClient, step: Send) -> httpx.Request:
    """Return a request as httpx sends it."""
    return http.build_request(step.method, step.path, content=step.content, headers=step.headers, timeout=step.timeout)


def several(texts: Iterable[str]) -> Iterable[str]:
    """Return the texts. Raises TypeError for a single one, whose characters they would be."""
    if isinstance(texts, str):
        raise TypeError("several texts are an iterable of str, not one str")
    return texts
