"""Bodies that are refused for their size: every client reads why."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable

import httpx
import pytest
import requests

from tests.application import wait_until
from tests.server import PATIENCE_SECONDS, POST, Run, RunningServer, everything, problem_in


def test_a_body_over_the_limit_is_refused_unread(listening: RunningServer) -> None:
    with listening.call(POST + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n") as caller:
        problem_in(everything(caller), 413, "body_too_large")  # nobody says 100 Continue first


def test_a_chunked_body_is_cut_at_the_limit(run: Run) -> None:
    running = run(max_request_length=256, max_text_length=256, max_body_bytes=1024)
    with running.call(POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n%b\r\n" % (b" " * 1024) * 2) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 413 ")


def too_large() -> bytes:
    """Far more than the system takes in on both sides before anybody reads it."""
    return b'{"text": "%b"}' % (b"a " * 3_000_000)


def ask_by_urllib(url: str, body: bytes) -> tuple[int, bytes]:
    """It sends the head and all of the body before it reads, and asks for the connection to be closed."""
    asked = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def ask_by_httpx(url: str, body: bytes) -> tuple[int, bytes]:
    answer = httpx.post(url, content=body, trust_env=False, timeout=PATIENCE_SECONDS)
    return answer.status_code, answer.content


def ask_by_requests(url: str, body: bytes) -> tuple[int, bytes]:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(url, data=body, timeout=PATIENCE_SECONDS)
        return answer.status_code, answer.content


def ask_by_curl(url: str, body: bytes, *options: str) -> tuple[int, bytes]:
    """As it is called by people: it waits a moment for 100 Continue."""
    command = ["curl", "--silent", "--show-error", "--write-out", "%{stderr}%{http_code}", *options]
    command += ["--header", "Content-Type: application/json", "--data-binary", "@-", url]
    done = subprocess.run(command, input=body, capture_output=True, timeout=PATIENCE_SECONDS, check=True)
    return int(done.stderr), done.stdout


def ask_by_curl_at_once(url: str, body: bytes) -> tuple[int, bytes]:
    return ask_by_curl(url, body, "--header", "Expect:", "--header", "Connection: close")


no_curl = pytest.mark.skipif(not shutil.which("curl"), reason="no curl here")
CLIENTS = [
    ask_by_urllib,
    ask_by_httpx,
    ask_by_requests,
    pytest.param(ask_by_curl, marks=no_curl),
    pytest.param(ask_by_curl_at_once, marks=no_curl),
]


@pytest.mark.parametrize("ask", CLIENTS)
def test_every_client_reads_why_its_body_is_refused(
    listening: RunningServer, ask: Callable[[str, bytes], tuple[int, bytes]]
) -> None:
    for _ in range(3):
        status, body = ask(f"{listening.url}/tag", too_large())
        assert (status, json.loads(body)["kind"]) == (413, "body_too_large")
    wait_until(lambda: not listening.connections)
