"""What callers send is written down nowhere: marked text through every door, good and bad, and then a search for it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from service.logs import JsonFormatter, TextFormatter
from tests.application import KEY, NEEDED, wait_until
from tests.server import Run, RunningServer, everything, request

MARK = "quixotryzz"  # in no word of ours; lower case, as an address would have it
GOOD_KEY = b"X-API-Key: " + KEY.encode() + b"\r\n"


def with_headers(sent: bytes, *lines: str) -> bytes:
    head, _, body = sent.partition(b"\r\n\r\n")
    return b"\r\n".join([head, *(line.encode("latin-1") for line in lines)]) + b"\r\n\r\n" + body


def of_a_route(path: str) -> Iterator[bytes]:
    """Answers, streams and refusals of everything that a route can refuse."""
    needed: dict[str, Any] = dict(NEEDED[path])
    good = request(path, text=f"{MARK} plays.", **needed)
    yield good
    yield request(path, text=[MARK, f"Alice met {MARK}@example.com", "", f"#{MARK} @{MARK}"], **needed)
    for bad in (
        {"text": f"{MARK}\0"},
        {"text": f"{MARK} " * 20_000},
        {"text": [MARK] * 1000},
        {"text": f"{MARK} " * 100},
        {"text": {MARK: MARK}},
        {"text": [5, MARK]},
        {"text": MARK, MARK: MARK},
        {"text": MARK, "model": MARK},
        {"text": MARK, "offset_unit": MARK, "target": MARK, "source": MARK},
        {"text": MARK, "stream": MARK},
        {"tokens": [[MARK, f" {MARK}"]]},
        {"text": f"\ud800{MARK}"},
    ):
        yield request(path, **{**needed, **bad})
    whole = good.partition(b"\r\n\r\n")[0]
    for broken in (
        f'{{"text": "{MARK}'.encode(),
        f'{{"{MARK}": 1, "{MARK}": 2}}'.encode(),
        f"\xff{MARK}".encode("latin-1"),
    ):
        yield re.sub(rb"Length: \d+", b"Length: %d" % len(broken), whole) + b"\r\n\r\n" + broken
    for line in (
        f"X-Request-Timeout-Ms: {MARK}",
        f"X-Request-ID: {MARK} !",
        f"X-Priority: {MARK}",
        f"Content-Type: text/{MARK}",
        f"Content-Encoding: {MARK}",
        f"Authorization: Bearer {MARK}",
        f"Cookie: {MARK}={MARK}",
        f"User-Agent: {MARK}",
        f"Referer: https://{MARK}/",
        f"X-Forwarded-For: {MARK}",
        f"Forwarded: for={MARK}",
        f"Origin: https://{MARK}.example",
        f"Upgrade: {MARK}\r\nConnection: upgrade",
        f"Expect: {MARK}",
        f"X-{MARK}: {MARK}",
    ):
        yield with_headers(good, line)


def of_all() -> Iterator[bytes]:
    for path in NEEDED:
        yield from of_a_route(path)
    yield request("/translate", text=f"{MARK} plays. {MARK} too.", target="es", stream=True, attention=True)
    yield request("/score", text=f"{MARK} ___ here", choices=[MARK, "is"])
    yield request("/score", text=MARK, choices=[MARK])
    for form in ("conllu", "spacy"):
        yield request("/tag", text=f"{MARK} plays", format=form)
    asked = {"q": MARK, "source": "en", "target": "es", "api_key": MARK}
    for wishes in ({}, {"target": MARK}, {"format": MARK}, {"source": "auto"}):
        yield request("/compat/libretranslate/translate", **{**asked, **wishes})
    sent = urlencode(asked).encode()
    yield with_headers(request("/compat/libretranslate/translate"), f"Content-Type: text/{MARK}")
    head = f"POST /compat/libretranslate/translate HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent)}\r\n"
    yield f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode() + sent
    for wishes in ({}, {"stream": True}, {"logprobs": 5}, {"stop": [MARK], "model": MARK}, {"state": MARK}, {MARK: 1}):
        yield request("/generate", prompt=[f"{MARK} plays", MARK * 100], **wishes)
    for path in ("/models", "/metrics", "/health/live", "/health/ready", "/schema", "/schema/openapi.json", "/"):
        for method in ("GET", "HEAD", "PUT", "OPTIONS"):
            yield f"{method} {path}?{MARK}={MARK} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    yield f"GET /{MARK} HTTP/1.1\r\nHost: {MARK}\r\n\r\n".encode()
    yield f"GET /tag/{MARK}?q={MARK}#{MARK} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    yield f"GET /schema/{MARK} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    yield f"GET / HTTP/1.1\r\nHost: {MARK} {MARK}\r\n\r\n".encode()
    yield f"{MARK} / HTTP/1.1\r\n\r\n".encode()
    yield f"GET / HTTP/1.1\r\n{MARK}\r\n\r\n".encode()
    preflight = f"OPTIONS /tag HTTP/1.1\r\nHost: x\r\nOrigin: https://{MARK}\r\n"
    yield f"{preflight}Access-Control-Request-Method: {MARK}\r\n\r\n".encode()
    yield f"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n{MARK}".encode()
    yield f"POST /tag HTTP/1.1\r\nHost: x\r\nX: {MARK}".encode()
    yield f"POST /tag HTTP/1.1\r\nX: {MARK * 10_000}".encode()


def send_all(running: RunningServer, *, line: bytes) -> set[int]:
    """Every request on a connection of its own, with one more header. The statuses that came back."""
    statuses = set()
    for sent in of_all():
        head, separator, rest = sent.partition(b"\r\n")
        with running.call(head + separator + line + b"Connection: close\r\n" + rest) as caller:
            statuses |= {int(found) for found in re.findall(rb"HTTP/1.1 (\d{3}) ", everything(caller))}
    return statuses


def test_marked_text_is_in_no_log_line_and_no_metric(run: Run, keys: Path, caplog: pytest.LogCaptureFixture) -> None:
    running = run(
        api_keys_file=keys,
        cors_origins="https://app.example.com",
        trusted_proxies="127.0.0.1",
        body_timeout_seconds=0.2,
        max_text_length=50_000,
        log_level="debug",
    )
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    statuses = send_all(running, line=GOOD_KEY)
    assert statuses >= {200, 400, 404, 405, 408, 415, 422, 431}
    assert 500 not in statuses
    assert send_all(running, line=b"") >= {200, 401}
    running.session.error = ValueError(MARK)
    assert 500 in send_all(running, line=GOOD_KEY)
    wait_until(lambda: running.app.lifecycle.in_flight == 0)
    records = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert len(records) > 200
    formatters = (JsonFormatter(), TextFormatter())
    written = "\n".join(formatter.format(record) for record in records for formatter in formatters)
    assert MARK not in written.lower(), leak_in(written)
    assert KEY not in written
    metrics = everything_of(running, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + GOOD_KEY + b"\r\n")
    assert "ribbon_requests_total" in metrics
    assert MARK not in metrics.lower()
    assert KEY not in json.dumps(metrics)


def leak_in(written: str) -> str:
    """Enough to see where it comes from."""
    at = written.lower().find(MARK)
    return written[max(0, at - 500) : at + 200]


def everything_of(running: RunningServer, sent: bytes) -> str:
    with running.call(sent) as caller:
        return everything(caller).decode()
