"""Bytes for a port where HTTP is spoken: requests that are broken, ambiguous, or no requests at all."""

from __future__ import annotations

from collections.abc import Mapping

from tests.api.hostile.bodies import GOOD

HEAD = b"POST /tag HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
BODY = b'{"text": "a"}'
SIZED = b"Content-Length: %d\r\n" % len(BODY)
WHOLE = HEAD + SIZED + b"\r\n" + BODY
CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
END = b"0\r\n\r\n"


def get(target: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"GET %b HTTP/1.1" % target, b"Host: a", *headers, b"", b""])


def sent_as(method: bytes) -> bytes:
    return WHOLE.replace(b"POST", method, 1)


TARGETS: Mapping[str, bytes] = {
    target[:30].decode("latin-1"): get(target)
    for target in (
        *(b"*", b"//", b"///tag", b"/../../etc/passwd", b"/%2e%2e/%2e%2e/etc/passwd", b"/..%c0%af..%c0%afetc/passwd"),
        *(
            b"/%00",
            b"/%",
            b"/%zz",
            b"/%ff%fe",
            b"/\xff\xfe",
            b"/\xc3\xa9",
            b"/tag%2f",
            b"/tag;a=b",
            b"/tag#a",
            b"/tag?%00",
        ),
        *(b"http://elsewhere/models", b"HTTP://a", b"a:443", b"models", b"?", b"/models?" + b"a=b&" * 5000),
        *(b"/models/../models", b"/schema/..%2f..%2fpyproject.toml", b"/schema/%2e%2e/%2e%2e/pyproject.toml"),
        *(
            b"/schema/rapidoc-min.js/..",
            b"/schema/openapi.json/",
            b"/schema//etc/passwd",
            b"/health/ready/",
            b"/" * 1000,
        ),
        *(b"/" + b"a" * 20_000, b"/" + b"a/" * 8000, b"/" + b"%41" * 8000, b"/models\t", b"/mo dels", b"/{model}", b""),
    )
}
METHODS: Mapping[str, bytes] = {
    name.decode("latin-1"): sent_as(name)
    for name in (
        *(b"GET", b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"QUERY", b"PROPFIND", b"M-SEARCH"),
        *(b"PURGE", b"BREW", b"post", b"P\xd6ST", b"", b"POST POST", b"A" * 5000, b"\0", b"CONNECT"),
    )
}
HEADERS: Mapping[str, bytes] = {
    "no host": WHOLE.replace(b"Host: a\r\n", b""),
    "two hosts": WHOLE.replace(b"Host: a", b"Host: a\r\nHost: b"),
    "a strange host": WHOLE.replace(b"Host: a", b"Host: \xff@[::1]:99999/?#"),
    "a huge value": WHOLE.replace(b"Host: a", b"Host: a\r\nX-A: " + b"a" * 1_000_000),
    "a huge name": WHOLE.replace(b"Host: a", b"Host: a\r\n" + b"a" * 100_000 + b": a"),
    "many": WHOLE.replace(b"Host: a", b"Host: a" + b"\r\nX-A: a" * 20_000),
    "a space before the colon": WHOLE.replace(b"Content-Length:", b"Content-Length :"),
    "no name": WHOLE.replace(b"Host: a", b"Host: a\r\n: a"),
    "no colon": WHOLE.replace(b"Host: a", b"Host: a\r\nnothing"),
    "a folded line": WHOLE.replace(b"Host: a", b"Host: a\r\nX-A: a\r\n b"),
    "a NUL": WHOLE.replace(b"Host: a", b"Host: a\r\nX-A: a\0b"),
    "a bare carriage return": WHOLE.replace(b"Host: a", b"Host: a\r\nX-A: a\rb"),
    "bare line feeds": WHOLE.replace(b"\r\n", b"\n"),
    "bytes that are no letters": WHOLE.replace(b"Host: a", b"Host: a\r\nX-Request-ID: \xff\xfe\r\nX-A: \x80"),
    "an id that would split the answer": WHOLE.replace(b"Host: a", b"Host: a\r\nX-Request-ID: a%0d%0aX-B: b"),
    "a strange deadline": WHOLE.replace(b"Host: a", b"Host: a\r\nX-Request-Timeout-Ms: 1e309"),
    "two deadlines": WHOLE.replace(b"Host: a", b"Host: a\r\nX-Request-Timeout-Ms: 9\r\nX-Request-Timeout-Ms: x"),
    "something expected": WHOLE.replace(b"Host: a", b"Host: a\r\nExpect: 100-continue"),
    "something else expected": WHOLE.replace(b"Host: a", b"Host: a\r\nExpect: a miracle"),
    "an upgrade": WHOLE.replace(b"Host: a", b"Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c"),
    "an upgrade to a socket": WHOLE.replace(b"Host: a", b"Host: a\r\nconnection: upgrade\r\nUPGRADE: websocket"),
    "a socket wanted": get(
        b"/tag",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
    "ranges": get(b"/schema/rapidoc-min.js", b"Range: bytes=" + b"0-1," * 4000),
    "conditions": get(b"/models", b"If-Modified-Since: never", b"If-None-Match: *", b"Accept: \xff/*;q=9"),
    "an accept that nothing meets": get(b"/models", b"Accept: image/png", b"Accept-Charset: utf-7"),
    "a proxy's lies": get(
        b"/models", b"X-Forwarded-For: " + b"a, " * 3000, b'Forwarded: for="[::1', b"X-Forwarded-Proto: x"
    ),
    "a broken key": get(b"/models", b"Authorization: Bearer \xff", b"X-API-Key: ", b"Authorization: Basic =="),
    "cookies": get(b"/models", b"Cookie: " + b"a=b; " * 5000),
}
LENGTHS: Mapping[str, bytes] = {
    "no length": HEAD + b"\r\n" + BODY,
    "length and chunks": HEAD + SIZED + CHUNKED + b"\r\n" + CHUNK + END,
    "chunks and length": HEAD + CHUNKED + SIZED + b"\r\n" + CHUNK + END,
    "two lengths": HEAD + SIZED + b"Content-Length: 2\r\n\r\n" + BODY,
    "a list of lengths": HEAD + b"Content-Length: %d, %d\r\n\r\n" % (len(BODY), len(BODY)) + BODY,
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n" + BODY,
    "a length with a sign": HEAD + b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY,
    "a hexadecimal length": HEAD + b"Content-Length: 0xd\r\n\r\n" + BODY,
    "a length over 64 bits": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n" + BODY,
    "a length of terabytes": HEAD + b"Content-Length: 9999999999999\r\n\r\n" + BODY,
    "a length that is too great": HEAD + b"Content-Length: 99\r\n\r\n" + BODY,
    "a length that is too small": HEAD + b"Content-Length: 5\r\n\r\n" + BODY,
    "a length in other digits": HEAD + b"Content-Length: \xd9\xa3\r\n\r\n" + BODY,
    "chunks": HEAD + CHUNKED + b"\r\n" + CHUNK + END,
    "a chunk a byte": HEAD + CHUNKED + b"\r\n" + b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + END,
    "chunks of nothing but extensions": HEAD + CHUNKED + b"\r\nd;" + b"a=b;" * 5000 + b"\r\n" + BODY + b"\r\n" + END,
    "many trailers": HEAD + CHUNKED + b"\r\n" + CHUNK + b"0\r\n" + b"X-A: b\r\n" * 20 + b"\r\n",
    "trailers": HEAD + CHUNKED + b"\r\n" + CHUNK + b"0\r\nContent-Length: 5\r\nX-A: b\r\n\r\n",
    "trailers without end": HEAD + CHUNKED + b"\r\n" + CHUNK + b"0\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n",
    "a chunk of 64 bits": HEAD + CHUNKED + b"\r\nffffffffffffffff\r\n" + BODY,
    "a chunk of more": HEAD + CHUNKED + b"\r\nfffffffffffffffff\r\n" + BODY,
    "a negative chunk": HEAD + CHUNKED + b"\r\n-d\r\n" + BODY + b"\r\n" + END,
    "a chunk that is no number": HEAD + CHUNKED + b"\r\nxyz\r\n" + BODY + b"\r\n" + END,
    "a chunk that ends too late": HEAD + CHUNKED + b"\r\n5\r\n" + BODY + b"\r\n" + END,
    "chunks that never end": HEAD + CHUNKED + b"\r\n" + CHUNK,
    "chunked twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + CHUNK + END,
    "chunked, then not": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNK + END,
    "compressed chunks": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNK + END,
    "not quite chunked": HEAD + b"Transfer-Encoding: xchunked\r\n" + SIZED + b"\r\n" + BODY,
    "chunked behind a tab": HEAD + b"Transfer-Encoding:\x0bchunked\r\n" + SIZED + b"\r\n" + BODY,
    "chunked in HTTP/1.0": (HEAD + CHUNKED + b"\r\n" + CHUNK + END).replace(b"HTTP/1.1", b"HTTP/1.0"),
}
NOT_HTTP: Mapping[str, bytes] = {
    "one byte": b"\n",
    "noise": bytes(range(256)) * 40,
    "NULs": b"\0" * 10_000,
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(50),
    "HTTP/0.9": b"GET /models\r\n",
    "HTTP/1.0": b"GET /models HTTP/1.0\r\n\r\n",
    "HTTP/1.2": get(b"/models").replace(b"HTTP/1.1", b"HTTP/1.2"),
    "HTTP/9.9": get(b"/models").replace(b"HTTP/1.1", b"HTTP/9.9"),
    "another protocol": b"EHLO a\r\nMAIL FROM:<a@b>\r\n",
    "a proxy's greeting": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + WHOLE,
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "line breaks first": b"\r\n" * 50 + WHOLE,
    "line breaks without end": b"\r\n" * 100_000,
    "spaces without end": b" " * 200_000,
    "half a head": HEAD[:30],
    "a head without its end": HEAD,
    "a body that never comes": HEAD + SIZED + b"\r\n",
    "half a body": (WHOLE)[:-4],
    "many at once": get(b"/health/live") * 500,
    "many, one broken": get(b"/health/live") * 20 + b"\0\0\0" + get(b"/health/live"),
    "one hidden in another": HEAD + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD + WHOLE,
}
