"""The attacks, one function each: it returns what came of it, and raises AssertionError where a law is broken."""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from urllib.parse import urljoin

from bench.attacks.victim import JSON_TYPE, MEGABYTE, Reply, Victim

REFUSED_TIMES, SPARE_MEGABYTES = 4, 8  # of memory that refusing a body may take: so many times its size, and so much
NUM_HOARDERS, HOARDED_BYTES, MAX_HOARDED_MEGABYTES = 100, 4 * MEGABYTE - 1, 200
GROWTH, LENGTHS, SHORT_SECONDS = 8.0, (12_500, 50_000), 0.3  # four times the text: linear is 4, quadratic 16
MAX_ANSWER_BYTES = 8 * MEGABYTE
ROOT_PATH, REBOUND = "/nlp", "rebound.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """An attack: the number and the words by which it is known, and the memory that it may take."""

    number: int
    name: str
    run: Callable[[Victim], str]
    max_megabytes: float


def deep_json(victim: Victim) -> str:
    """Nested objects with keys of thousands of letters, and what is wrong at the bottom of them."""
    key = b'{"%s":' % (b"k" * 4600)
    return refused(victim.ask("POST", "/tag", key * 900 + b'"\\ud800"' + b"}" * 900), 400, 413, 422)


def junk(victim: Victim) -> str:
    """Four megabytes of JSON with as many errors as fit."""
    replies = [
        victim.ask("POST", "/tag", b'{"text": [' + b"1," * (2 * MEGABYTE - 10) + b"1]}"),
        victim.ask("POST", "/tag", b"[" * (4 * MEGABYTE - 1)),
        victim.ask("POST", "/tag", b'{"text": "' + b"\\ud800" * (4 * MEGABYTE // 6 - 4) + b'"}'),
    ]
    return ", ".join(refused(each, 400, 413, 422) for each in replies)


def hoarded_bodies(victim: Victim) -> str:
    """Many bodies that are all but whole, held at one time, and then left."""
    before = victim.resident_megabytes
    head = b"POST /tag HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (HOARDED_BYTES + 1)
    body, statuses = b" " * HOARDED_BYTES, set()
    with ExitStack() as stack:
        callers = [stack.enter_context(victim.connect()) for _ in range(NUM_HOARDERS)]
        for caller in callers:
            caller.settimeout(0.5)
            with suppress(OSError):  # a refused body need not be read to its end, and one without room waits
                caller.sendall(head + body)
        for caller in callers:
            caller.settimeout(0.01)
            with suppress(OSError):
                statuses.add(caller.recv(12)[9:].decode())
    deadline = time.monotonic() + 10
    while victim.resident_megabytes - before > MAX_HOARDED_MEGABYTES / 4 and time.monotonic() < deadline:
        time.sleep(0.1)
    kept = victim.resident_megabytes - before
    assert kept <= MAX_HOARDED_MEGABYTES / 4, f"{kept:.0f} MB are kept after they left"
    return f"{NUM_HOARDERS} x 4 MiB; answered {sorted(statuses) or 'nothing'}, {max(0.0, kept):.0f} MB kept"


def hostile_first_word(victim: Victim) -> str:
    """A word of half a text and single letters behind it."""
    short, long = (text_seconds(victim, "a" * (length // 2) + " I" * (length // 4)) for length in LENGTHS)
    held = long <= max(SHORT_SECONDS, GROWTH * short)
    assert held, f"{short:.2f} s for {LENGTHS[0]} characters, {long:.2f} s for {LENGTHS[1]}"
    return f"{1000 * short:.0f} ms, then {1000 * long:.0f} ms beside the model"


def text_seconds(victim: Victim, text: str) -> float:
    """Return the seconds that the service took beside the queue and the model, the better of two times."""

    def once() -> float:
        timing = victim.post("/tag", text=text).headers.get("server-timing", "")
        queue, model, total = (float(each) / 1000 for each in re.findall(r"dur=([\d.]+)", timing))
        return total - queue - model

    return min(once(), once())


def attention(victim: Victim) -> str:
    """Matrices of attention for as many sentences as a request may have."""
    text = ["good " * 100] * 100
    sent = json.dumps({"text": text, "target": "es", "attention": True, "beam_size": 1, "max_length": 2}).encode()
    reply = victim.ask("POST", "/translate", sent, {**JSON_TYPE, "X-Request-Timeout-Ms": "10000"})
    assert len(reply.body) <= MAX_ANSWER_BYTES, f"{len(reply.body) / MEGABYTE:.0f} MB for {len(sent) / MEGABYTE:.2f} MB"
    assert reply.status in (200, 422, 429, 504), str(reply)
    return f"{reply}, {len(reply.body) / MEGABYTE:.1f} MB"


def refused_body(victim: Victim) -> str:
    """A body over the limit from a client that sends all of it before it reads."""
    url = f"http://{victim.address}/tag"
    request = urllib.request.Request(url, b'{"text": "%b"}' % (b"a " * (3 * MEGABYTE)), dict(JSON_TYPE))
    try:
        urllib.request.urlopen(request, timeout=20).close()
    except urllib.error.HTTPError as error:
        with error:
            status, kind = error.code, json.loads(error.read())["kind"]
    except OSError as error:
        raise AssertionError(f"urllib sees {error}") from error
    else:
        raise AssertionError("it was not refused")
    assert (status, kind) == (413, "body_too_large"), f"{status} {kind}"
    return "urllib reads 413"


def compressed_bomb(victim: Victim) -> str:
    """A small gzip file that is 200 MB of spaces."""
    bomb = gzip.compress(b" " * (200 * MEGABYTE), 6)
    replies = [victim.ask("POST", "/tag", bomb, {**JSON_TYPE, "Content-Encoding": "gzip"}) for _ in range(3)]
    other = victim.ask("POST", "/tag", b"x", {**JSON_TYPE, "Content-Encoding": "br"})
    return f"{', '.join({refused(each, 413) for each in replies})}; br: {refused(other, 415)}"


def path_prefix(victim: Victim) -> str:
    """The schema page under a prefix, and its links."""
    page = victim.ask("GET", f"{ROOT_PATH}/schema", headers={})
    links = re.findall(rb'(?:src|spec-url)="([^"]+)"', page.body)
    found = [victim.ask("GET", urljoin(f"{ROOT_PATH}/schema", link.decode()), headers={}).status for link in links]
    assert len(found) == 2, str(page)
    assert set(found) == {200}, f"links lead to {found}"
    return f"{len(found)} links of the page lead somewhere"


def description(victim: Victim) -> str:
    """The API's description in all forms, which is long to write."""
    paths = [f"/schema/openapi.{form}" for form in ("json", "yaml", "yml")] * 3
    replies = [victim.ask("GET", path, headers={}) for path in paths]
    assert {each.status for each in replies} == {200}, ", ".join(map(str, replies))
    return f"{len(replies)} answers"


def blank_text(victim: Victim) -> str:
    """A blank text and one that is too long among good ones."""
    reply = victim.post("/classify", text=["good", "   ", "good " * 5000])
    assert reply.status == 200, str(reply)
    reasons = [each.get("reason") for each in reply.document["results"]]
    assert reasons == [None, "no_words", "input_too_long"], str(reasons)
    return "each has its own result"


def odd_requests(victim: Victim) -> str:
    """Requests that a lenient parser lets pass, or that lose an answer."""
    body = b'{"text": "Alice"}'

    def post(target: bytes = b"/tag", host: bytes = b"Host: localhost\r\n", version: bytes = b"1.1") -> bytes:
        head = b"POST %b HTTP/%b\r\n%bContent-Length: %d\r\n\r\n" % (target, version, host, len(body))
        return head + body

    chunked = b"POST /tag HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;x=" + b"x" * 40_000
    upgrade = post(host=b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n")
    wanted = {
        "half-closed": (post(), [200]),
        "pipelined upgrade": (post() + upgrade + post(), [200, 200, 200]),
        "garbage behind": (post() + b"\x00\x01\r\n\r\n", [200, 400]),
        "no host": (post(host=b""), [400]),
        "two hosts": (post(host=b"Host: localhost\r\nHost: x\r\n"), [400]),
        "HTTP/0.9": (b"GET /health/live\r\n\r\n", [400]),
        "no version": (b"GET /health/live\r\n", [400]),
        "endless chunk line": (chunked, [431]),
        "HTTP/2.0": (post(version=b"2.0"), [400]),
        "foo://": (post(b"foo://x/tag"), [400]),
        "encoded slash": (post(b"/tag%2f"), [404]),
        "byte order mark": (post().replace(b": 17", b": 20").replace(b"{", b"\xef\xbb\xbf{"), [200]),
    }
    for name, (sent, statuses) in wanted.items():
        received = victim.exchange(
            sent, half_close=name not in ("no version", "endless chunk line")
        )  # no end is waited for
        found = [int(each) for each in re.findall(rb"HTTP/1\.1 (\d+)", received) if each != b"100"]
        assert found == statuses, f"{name}: {found}, not {statuses}"
    return f"{len(wanted)} requests"


def rebinding(victim: Victim) -> str:
    """A page whose name was bound to this machine, on both ports."""
    forged = {**JSON_TYPE, "Host": f"{REBOUND}:9100", "Origin": f"http://{REBOUND}:9100"}
    replies = [
        victim.ask("POST", "/admin/reload", None, forged, admin=True),
        victim.ask("GET", "/metrics", None, forged, admin=True),
        victim.ask("POST", "/tag", b'{"text": "Alice"}', forged),
    ]
    return ", ".join({refused(each, 421) for each in replies})


def vanishing(victim: Victim) -> str:
    """Callers who ask for long work and leave, orderly, half-way or with a reset."""
    sent = json.dumps({"text": ["good " * 2000] * 8, "target": "es"}).encode()
    head = b"POST /translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(sent)
    for number in range(20):
        with victim.connect() as caller:
            caller.sendall((head + sent)[: None if number % 2 else -1])
            if number % 3 == 0:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    deadline = time.monotonic() + 20
    while (inside := in_flight(victim)) > 2 and time.monotonic() < deadline:  # the scrape, and the probe
        time.sleep(0.1)
    assert inside <= 2, f"{inside:.0f} requests are still inside"
    return "20 callers, nothing is left of them"


def in_flight(victim: Victim) -> float:
    metrics = victim.ask("GET", "/metrics", headers={}, admin=True).body.decode()
    found = re.search(r"^ribbon_requests_in_flight (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else float("inf")


def refused(reply: Reply, *statuses: int) -> str:
    """Return how a request was refused; it must be one of these ways."""
    assert reply.status in statuses, f"{reply}, not {statuses}"
    return str(reply)


REFUSED_BODY_MEGABYTES = REFUSED_TIMES * 4 + SPARE_MEGABYTES
ATTACKS = (
    Attack(number=1, name="deep JSON", run=deep_json, max_megabytes=REFUSED_BODY_MEGABYTES),
    Attack(number=1, name="4 MB of junk", run=junk, max_megabytes=REFUSED_BODY_MEGABYTES),
    Attack(number=2, name="hoarded bodies", run=hoarded_bodies, max_megabytes=MAX_HOARDED_MEGABYTES),
    Attack(number=3, name="hostile first word", run=hostile_first_word, max_megabytes=100),
    Attack(number=4, name="attention", run=attention, max_megabytes=100),
    Attack(number=6, name="vanishing callers", run=vanishing, max_megabytes=100),
    Attack(number=9, name="refused body", run=refused_body, max_megabytes=REFUSED_BODY_MEGABYTES),
    Attack(number=10, name="compressed bomb", run=compressed_bomb, max_megabytes=REFUSED_BODY_MEGABYTES),
    Attack(number=11, name="path prefix", run=path_prefix, max_megabytes=50),
    Attack(number=1, name="description", run=description, max_megabytes=50),
    Attack(number=12, name="blank text in a batch", run=blank_text, max_megabytes=50),
    Attack(number=13, name="odd requests", run=odd_requests, max_megabytes=50),
    Attack(number=14, name="DNS rebinding", run=rebinding, max_megabytes=50),
)
