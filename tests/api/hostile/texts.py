"""Texts that are legal and that nobody wrote: what Unicode allows, and what a tokenizer could choke on."""

from __future__ import annotations

from collections.abc import Mapping

LONG = 5_000  # characters: what grows with their square would take minutes

STRANGE: Mapping[str, str] = {
    "noncharacters": "a \ufffe\uffff \ufdd0 \U0001fffe\U0010ffff b",
    "private use": "\ue000\uf8ff \U000f0000 word",
    "a byte order mark inside": "\ufeffAlice\ufeff plays\ufeff.",
    "bidirectional overrides": "\u202eecilA\u202c \u2066plays\u2069 \u200f\u061c\u200e.",
    "bidirectional, never closed": "\u202e\u2067\u202d" * 500 + "Alice",
    "only zero width": "\u200b\u200c\u200d\u2060\ufeff" * 50,
    "only combining": "\u0301" * 200,
    "ten thousand combining marks": "a" + "\u0301\u0323" * 5000 + " b",
    "one family": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 laughs.",
    "families joined without end": "\u200d".join("\U0001f468\U0001f469\U0001f467" * 3000),
    "skin tones and selectors": "\U0001f44d\U0001f3fd\ufe0f\ufe0e" * 500,
    "an odd number of regional indicators": "\U0001f1ea\U0001f1f8\U0001f1eb" * 101,
    "tags": "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e007f" * 99,
    "conjoining jamo": "\u1100\u1161\u11a8" * 300,
    "long ligatures": "\ufdfa\ufdfb\u3300" * 300,
    "case that changes length": "İıſßΐŉǰ" * 200,
    "separators": "a\u2028b\u2029c\x0bd\x0ce\x1cf\x85g\u3000h\u180ei",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f word",
    "every plane": "".join(map(chr, range(0x20, 0x3000, 7))) + "".join(map(chr, range(0x10000, 0x20000, 4099))),
    "digits of the world": "٣٤٥ ३४५ ３４５ 𝟛𝟜𝟝 ⅷ ㊿ 1٬234٫5",
    "markup": "<script>alert('a')</script><!-- ${jndi:ldap://a/b} {{7*7}} %s%n%x ' OR 1=1;--",
    "paths": "../../etc/passwd \\\\host\\share C:\\con.txt file:///dev/zero",
    "pieces of the subword vocabulary": "▁ ▁▁ <s></s><unk><pad> ▁es <2es> __en__ \u2581" * 20,
    "white space alone": " \t\r\n\u00a0\u2003" * 300,
}
PERIODS = (
    *("a", " ", "\n", ".", "'", '"', "-", "1", ",", "@", "#", "/", "(", "é", "中", "\U0001f600", "\u200d", "\u0301"),
    *("a ", "a.", "A. ", "1,", "a@", "a-", "a'", "...", "http://", "www.a.", "a@b.c ", "n't ", ":)", "* a\n", "1. a\n"),
    *("\r\n", "a\n\n", "e.g. ", ">\n", "?a'", "中\n\n", "]…a'—", "\n\n)\t>"),
)
ENDLESS: Mapping[str, str] = {repr(part): (part * LONG)[:LONG] for part in PERIODS}
