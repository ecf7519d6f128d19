"""Bodies that are no request, or one only by a hair; ``%b`` is where a field's value would stand."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping

ALMOST = 4 * 1024 * 1024 - 64  # bytes that are just taken
GOOD = b'{"text": "a", "target": "es"}'

VALUES: Mapping[str, bytes] = {
    "a lone surrogate": b'"\\ud800"',
    "the other half": b'"a\\udfffb"',
    "halves in the wrong order": b'"\\udc00\\ud800"',
    "half an escape": b'"\\ud83d\\u"',
    "surrogates without end": b'"' + b"\\ud800" * 100_000 + b'"',
    "surrogates as bytes": b'"\xed\xa0\x80"',
    "overlong": b'"\xc0\xaf\xe0\x80\xaf"',
    "overlong NUL": b'"\xc0\x80"',
    "beyond Unicode": b'"\xf4\x90\x80\x80"',
    "cut in a character": b'"\xf0\x9f\x98"',
    "a NUL": b'"a\x00b"',
    "an escaped NUL": b'"a\\u0000b"',
    "NULs": b'"' + b"\\u0000" * 100_000 + b'"',
    "a bare line break": b'"a\nb"',
    "not a number": b"NaN",
    "infinity": b"-Infinity",
    "beyond all floats": b"1e400",
    "below all floats": b"-1e400",
    "next to nothing": b"1e-400",
    "minus nothing": b"-0",
    "minus nothing, with a point": b"-0.0",
    "ten to the five thousandth": b"1" + b"0" * 5000,
    "a million digits": b"9" * 300_000,
    "a million decimals": b"0." + b"3" * 300_000,
    "a long exponent": b"1e" + b"9" * 10_000,
    "a leading zero": b"01",
    "hexadecimal": b"0x10",
    "just over 63 bits": b"9223372036854775808",
    "just over 64 bits": b"18446744073709551616",
    "true": b"true",
    "null": b"null",
    "an empty string": b'""',
    "an empty list": b"[]",
    "an empty object": b"{}",
    "an empty key": b'{"": ""}',
    "empty lists in lists": b"[[], [[]], []]",
    "nulls": b"[" + b"null," * 100_000 + b"null]",
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a wide list of words": json.dumps(["a"] * 100_000).encode(),
    "a wide list of lists": b"[" + b"[]," * 100_000 + b"[]]",
    "a wide object": json.dumps({str(i): i for i in range(100_000)}).encode(),
    "a long word": json.dumps("a" * 1_000_000).encode(),
    "a long word of escapes": b'"' + b"\\u00e9" * 100_000 + b'"',
}
FIELDS: Mapping[str, tuple[str, ...]] = {
    "/tag": ("text", "tokens", "model", "tasks", "truncate"),
    "/classify": ("text", "colour"),
    "/translate": ("text", "target", "beam_size", "length_penalty", "max_length"),
}

WHOLE: Mapping[str, bytes] = {
    "nothing": b"",
    "UTF-16": GOOD.decode().encode("utf-16"),
    "UTF-32": GOOD.decode().encode("utf-32"),
    "Latin-1": '{"text": "é", "target": "es"}'.encode("latin-1"),
    "NULs": b"\0" * 1000,
    "cut": GOOD[:-5],
    "cut in a string": GOOD[:11],
    "twice": GOOD * 2,
    "something after it": GOOD + b"x",
    "a comment": b'{"text": "a", /* b */ "target": "es"}',
    "a comma too many": b'{"text": "a", "target": "es",}',
    "single quotes": GOOD.replace(b'"', b"'"),
    "no quotes": b"{text: a}",
    "a repeated key inside": b'{"text": {"a": 1, "a": 2}, "target": "es"}',
    "repeated keys without end": b'{"target": "es"' + b', "text": "a"' * 200_000 + b"}",
    "empty keys": b'{"": 1, "": 2}',
    "a key without end": b'{"' + b"k" * (ALMOST - 100) + b'": 1}',
    "a prototype": b'{"text": "a", "target": "es", "__proto__": {"a": 1}, "constructor": 1}',
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "a form": b"text=a&target=es",
    "white space": b" \n" * 2_000_000,
    "quotes": b'"' * 1_000_000,
    "backslashes": b'"' + b"\\" * 1_000_001,
    "gzip, not said so": gzip.compress(GOOD),
}
# A body that is a hundred times as long once it is decompressed.
BOMB = gzip.compress(b" " * 50_000_000 + GOOD, 9)
# Encoded content, with the word for a coding that is not taken.
CODINGS: Mapping[str, bytes] = {
    "deflate": zlib.compress(b" " * 50_000_000 + GOOD, 9),
    "br": b"\xcf\xff\xff\xff\xff" * 1000,
    "zstd": b"\x28\xb5\x2f\xfd" * 1000,
    "gzip, gzip": gzip.compress(gzip.compress(b" " * 50_000_000, 9)),
    "identity, gzip": gzip.compress(GOOD),
}
MEDIA_TYPES = (
    *("text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded", "application/jsonp"),
    *("application/json; charset=utf-16", "application/json; charset=latin-1", "application/json;charset=utf-7"),
    *(
        'multipart/form-data; boundary="a"',
        "multipart/form-data",
        "application/msgpack",
        "*/*",
        "json",
        "/",
        ";",
        "a/b/c",
    ),
    *("application/json, text/plain", "application/json; charset=" + "x" * 8000),
    "application/x+json; charset=undefined",
)
MEANT_MEDIA_TYPES = (  # what cannot be read as an option is none
    *("application/json; charset=\xff\xfe", "application/json\t; charset"),
    *("application/json", "APPLICATION/JSON", "application/json; charset=UTF-8", "application/a+json", ""),
    "application/json" + ";a=b" * 2000,
)
