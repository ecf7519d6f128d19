"""Markdown cut into sentences and joined again: marks, code and addresses stay, words are translated."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from service.text.markup.documents import cut_format
from tests.text.markup.networks import assert_time_is_linear, permuted, shouted, shuffled, translated

SOUP = st.lists(
    st.sampled_from(
        [
            "\n", "\n\n", "\r\n", "  \n", "\\\n", "# ", "## ", " ##", "===\n", "---\n", "- ", "* ", "1. ", "> ", "    ",
            "```", "~~~\n", "| a | b |\n", "|---|---|\n", "| `x\\|y` | ", "<div>\n", "</div>", "<b>", "</b>", "<!--",
            "<!-- a -->", "<br>", "<kbd>", "</kbd>", "*", "**", "***", "_", "~~", "`", "``", "[", "]", "](/a 'b')",
            "](", ")", "![", "[a]: /b\n", "[^1]", "[ ] ", "\\*", "\\_", "\\.", "\\", "&amp;", "&eacute;", "&#39;", "<",
            "<https://a.b>", "It rained. ", "We stayed at home", "snake", "case", "1986", ".", " ", "\t", "😀",
            "e\u0301", "[a]", "\uf000", "\0", "\u2028", "\x0b",
        ]
    )
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=5),
    max_size=16,
).map("".join)  # fmt: skip
_WORDS = st.sampled_from(["it rained", "we stayed at home", "Tom &amp; Jerry", "nobody came.", "Then we slept"])
_LEAVES = st.sampled_from(["`a b`", "<https://a.b/c>", "![alt](/i.png)", "<kbd>Ctrl</kbd>", "\\*", "[see][a]"])
_MARKS = st.sampled_from([("**", "**"), ("*", "*"), ("_", "_"), ("~~", "~~"), ("[", "](/u)"), ("<b>", "</b>")])


def _marked(marks: tuple[str, str], parts: list[str]) -> str:
    """Some content between marks, unless those would be read with others inside of it."""
    content = " ".join(parts)
    return content if marks[0][0] in content else f"{marks[0]}{content}{marks[1]}"


_INLINE = st.recursive(
    _WORDS | _LEAVES,
    lambda inner: st.builds(_marked, _MARKS, st.lists(inner, min_size=1, max_size=3)),
    max_leaves=8,
)
_LINE = st.lists(_INLINE, min_size=1, max_size=3).map(" ".join)
_BLOCK = st.builds(
    str.format,
    st.sampled_from(
        [
            "{0}", "# {0}", "- {0}\n- {1}", "1. {0}", "> {0}\n> {1}", "{0}\n{1}", "```\n{0}\n```", "    {0}",
            "| {0} | {1} |\n|---|---|\n| x | {0} |", "<div>\n{0}\n</div>", "{0}  \n{1}",
        ]
    ),
    _LINE,
    _LINE,
)  # fmt: skip
_PARSER = MarkdownIt("gfm-like", {"linkify": False})


def kept(document: str) -> Counter[str]:
    """Code, addresses, pictures, HTML, emphasis and the kinds of blocks, as a reader of Markdown finds them."""
    tokens = [each for token in _PARSER.parse(document) for each in (token, *(token.children or []))]
    found = [token for token in tokens if token.type not in ("inline", "text", "softbreak", "hardbreak")]
    return Counter(f"{token.type} {token.attrs.get('href', token.content)}" for token in found)


def _without_emphasis(found: Counter[str]) -> Counter[str]:
    return Counter({each: count for each, count in found.items() if each.split("_")[0] not in ("em", "strong", "s")})


@given(SOUP)
def test_sentences_that_are_not_translated_give_the_source_back(text: str) -> None:
    passage = cut_format(text, "markdown")
    assert translated(passage, passage.sentences) == text
    assert all(0 <= a.start < a.end <= b.start for a, b in pairwise(passage.spans))
    assert all(each.strip() == each != "" for each in passage.sentences)


@given(SOUP)
def test_words_stand_in_the_source_where_they_say(text: str) -> None:
    passage = cut_format(text, "markdown")
    for span, sentence in zip(passage.spans, passage.sentences, strict=True):
        words = re.findall(r"(?a:[A-Za-z]{3,})", re.sub("<[^<>]*>|&[^;]*;", " ", sentence))
        assert all(word in text[span.start : span.end] for word in words)


@settings(max_examples=40)
@given(st.lists(_BLOCK, max_size=3).map("\n\n".join), st.randoms())
def test_code_addresses_and_blocks_stay_however_a_network_orders_the_words(document: str, random: Random) -> None:
    document += "\n\n[a]: /b\n"
    found = kept(permuted(cut_format(document, "markdown"), random))
    assert _without_emphasis(found) == _without_emphasis(kept(document))


@settings(max_examples=40)
@given(st.lists(_BLOCK, max_size=3).map("\n\n".join), st.randoms())
def test_emphasis_stays_with_other_words(document: str, random: Random) -> None:
    document += "\n\n[a]: /b\n"
    assert kept(shuffled(cut_format(document, "markdown"), random)) == kept(document)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("it *is* **very** ~~bad~~ good", "IT *IS* **VERY** ~~BAD~~ GOOD"),
        ("***both*** and **a *b* c**", "***BOTH*** AND **A *B* C**"),
        ("see [the *list*](/a_b 'c d') now", "SEE [THE *LIST*](/a_b 'c d') NOW"),
        ("see [the *x*][a], [a], [a][], [b]\n\n[a]: /x 'y'", "SEE [THE *X*][a], [A][a], [A][a], [B]\n\n[a]: /x 'y'"),
        ("a ![pic](x.png) b <https://a.b/c> c", "A ![pic](x.png) B <https://a.b/c> C"),
        ("run `make x` and ``a ` b``", "RUN `make x` AND ``a ` b``"),
        ("# title #\n\nother\n===\n\nlast *one*\n---", "# TITLE #\n\nOTHER\n===\n\nLAST *ONE*\n---"),
        ("- one\n- two\n  three\n\n  four\n* five\n1. six", "- ONE\n- TWO THREE\n\n  FOUR\n* FIVE\n1. SIX"),
        ("- [ ] do\n- [x] done", "- [ ] DO\n- [x] DONE"),
        ("> one\n> two *or\n> three*\n\nfour", "> ONE TWO *OR THREE*\n\nFOUR"),
        ("> - # one\n>   two", "> - # ONE\n>   TWO"),
        ("> [!NOTE]\n> one", "> [!NOTE]\n> ONE"),
        ("one  \ntwo\\\nthree<br>four", "ONE  \nTWO\\\nTHREE<br>FOUR"),
        ("```py\nx = 1\n```\n\n    y = 2\n\nz", "```py\nx = 1\n```\n\n    y = 2\n\nZ"),
        ("<div>\nno\n</div>\n\nyes <b>or</b> <kbd>Ctrl</kbd>", "<div>\nno\n</div>\n\nYES <b>OR</b> <kbd>Ctrl</kbd>"),
        ("---\ntitle: no\n---\nyes", "---\ntitle: no\n---\nYES"),
        ("| a | b |\n|---|:-:|\n| c \\| d | `e\\|f` g |\n| h", "| A | B |\n|---|:-:|\n| C \\| D | `e\\|f` G |\n| H"),
        ("a | b\n--|--\nc |", "A | B\n--|--\nC |"),
        ("> | a |\n> |---|\n> | *b* |", "> | A |\n> |---|\n> | *B* |"),
        ("one[^1] two\n\n[^1]: three four", "ONE[^1] TWO\n\n[^1]: THREE FOUR"),
        ("5 * 3 * 2 is snake\\_case and \\*so\\*", "5 * 3 * 2 IS snake\\_case AND \\*SO\\*"),
        ("caf&eacute; &amp; bar &copy; it&#39;s", "CAFÉ &amp; BAR &copy; IT'S"),
        ("1986\\. was good", "1986\\. WAS GOOD"),
        ("one\r\ntwo\r\n\r\n- three\r\n", "ONE TWO\r\n\r\n- THREE\r\n"),
        ("**one. Two** three", "**ONE. TWO** THREE"),
        ("*one [two*](/a) three", "*ONE [TWO*](/a) THREE"),
        ("[one [two](/a)](/b)", "[ONE [TWO](/a)](/b)"),
        ("a ** b", "A ** B"),
    ],
)  # fmt: skip
def test_words_are_translated_and_the_rest_stays(document: str, expected: str) -> None:
    assert shouted(cut_format(document, "markdown")) == expected


@pytest.mark.parametrize(
    ("document", "translation", "expected"),
    [
        ("One day", "- Ein Tag", "\\- Ein Tag"),
        ("The year", "1986. Jahr", "1986\\. Jahr"),
        ("- # one", "# eins", "- # \\# eins"),
        ("# 1. One", "1. Eins", "# 1. Eins"),
        ("> one", "> eins", "> \\> eins"),
        ("one", "---", "\\---"),
        ("say **it** now", "di<a/0> lo </a/0>ya <b>", "di **lo** ya \\<b>"),
        ("say **it** now", "di <a/0></a/0>lo ya", "di **lo** ya"),
    ],
)
def test_what_a_network_writes_is_no_markup(document: str, translation: str, expected: str) -> None:
    assert translated(cut_format(document, "markdown"), [translation]) == expected


@pytest.mark.parametrize("part", ["[[a]", "[a](b) ", "*a_ ", "`", "<kbd>a", "| a ", "> ", "*_~~", "[a]: b\n", "](<"])
def test_the_time_grows_with_the_length_and_no_faster(part: str) -> None:
    assert_time_is_linear(lambda text: shouted(cut_format(text, "markdown")), part)
