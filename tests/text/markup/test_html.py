"""HTML cut into sentences and joined again: tags, code and entities stay, words are translated."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.markup.documents import cut_format
from service.text.markup.html import html_runs
from service.text.markup.inline import Kind
from tests.text.markup.networks import assert_time_is_linear, permuted, shouted, translated

SOUP = st.lists(
    st.sampled_from(
        [
            "<p>", "</p>", "<b>", "</b>", "<i class='x'>", "</i>", "<a href='/?a=1&amp;b=2'>", "</a>", "<br>", "<br/>",
            "<img src=x alt='a > b'>", "<li>", "</ul>", "<td>", "<code>", "</code>", "<pre>", "</pre>", "<!-- a -->",
            "<!--", "-->", "<!DOCTYPE html>", "<script>if (a<b) {}</script>", "<script>", "</script>", "<style>",
            "<textarea>", "<svg>", "</svg>", "<span translate=no>", "<span class='a notranslate'>", "</span>",
            "<div translate='no'>", "<div translate=yes>", "</div>", "<", ">", "</", "<b", "<b title='", "&amp;",
            "&nbsp;", "&eacute;", "&#39;", "&copy", "&", "&shy;", "<?php echo 1 > 2 ?>", "<%= x %>", "<![CDATA[x]]>",
            "\uf000", "\n\n", " ", "\t", "It rained. ", "We stayed at home", ".", "don", "t", "5 < 6", "Caf", "😀",
            "e\u0301", "</3>",
        ]
    )
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=5),
    max_size=16,
).map("".join)  # fmt: skip
_NAMES = st.sampled_from(["b", "i", "em", "span", "u"])
_WORDS = st.sampled_from(["It rained. ", "We stayed ", "at home", " and slept. ", "Tom &amp; Jerry ", "caf&eacute; "])
_LEAVES = st.sampled_from(["<code>a &lt; b</code>", "<img src='x'>", "<kbd>Ctrl</kbd>", "<!-- note -->", "&nbsp;"])
_INLINE = st.recursive(
    _WORDS | _LEAVES,
    lambda inner: st.builds(
        lambda name, parts: f"<{name} id='1'>{''.join(parts)}</{name}>", _NAMES, st.lists(inner, max_size=4)
    ),
    max_leaves=12,
)
_BLOCKS = st.recursive(
    st.lists(_INLINE, max_size=4).map(lambda parts: f"<p>{''.join(parts)}</p>"),
    lambda inner: st.lists(inner, max_size=3).map(lambda parts: f"<div>{''.join(parts)}</div>"),
    max_leaves=4,
)


class Nesting(HTMLParser):
    """Whether every end tag closes the innermost element, and which tags, comments and entities there are."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=False)
        self.found: Counter[str] = Counter()
        self.is_valid = True
        self._opened: list[str] = []
        self.feed(document)
        self.close()
        self.is_valid &= not self._opened

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found[self.get_starttag_text() or ""] += 1
        if tag != "img":
            self._opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.found[f"</{tag}>"] += 1
        self.is_valid &= bool(self._opened) and self._opened.pop() == tag

    def handle_comment(self, data: str) -> None:
        self.found[f"<!--{data}-->"] += 1

    def handle_entityref(self, name: str) -> None:
        if name != "eacute":
            self.found[f"&{name};"] += 1


@given(SOUP)
def test_sentences_that_are_not_translated_give_the_source_back(text: str) -> None:
    passage = cut_format(text, "html")
    assert translated(passage, passage.sentences) == text
    assert all(0 <= a.start < a.end <= b.start for a, b in pairwise(passage.spans))
    assert all(each.strip() == each != "" for each in passage.sentences)


@given(SOUP)
def test_the_pieces_of_a_block_have_no_gap_between_them(text: str) -> None:
    for run in html_runs(text):
        assert all(a.end == b.start for a, b in pairwise(run))
        for piece in run:
            source = text[piece.start : piece.end]
            assert piece.literal == source or piece.kind is Kind.TEXT


@given(st.lists(_BLOCKS, max_size=3).map("".join), st.randoms())
def test_tags_nest_however_a_network_orders_the_words(document: str, random: Random) -> None:
    assert Nesting(document).is_valid
    found = Nesting(permuted(cut_format(document, "html"), random))
    assert found.is_valid
    assert found.found == Nesting(document).found


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("Click <b>Save</b> now.", "CLICK <b>SAVE</b> NOW."),
        ("<p>The cat.</p>\n <P>It\n   sat.</P>", "<p>THE CAT.</p>\n <P>IT SAT.</P>"),
        ("<ul><li>one<li>two <i>or</i> so</ul>", "<ul><li>ONE<li>TWO <i>OR</i> SO</ul>"),
        ("<b>Go on. Stop.</b> <i>Why</i> not?", "<b>GO ON. STOP.</b> <i>WHY</i> NOT?"),
        ("a<br>b<br/>c", "A<br>B<br/>C"),
        ("<td>a</td><th>b</th><option value='x'>c<option>d", "<td>A</td><th>B</th><option value='x'>C<option>D"),
        ("<title>A &amp; b</title><meta content='c'>", "<title>A &amp; B</title><meta content='c'>"),
        ("<a href='/x y' title=\"a > b\">go</a> on", "<a href='/x y' title=\"a > b\">GO</a> ON"),
        ("run <code>make <b>x</b></code> first", "RUN <code>make <b>x</b></code> FIRST"),
        ("press <kbd>Ctrl</kbd>, see <samp>ok</samp>", "PRESS <kbd>Ctrl</kbd>, SEE <samp>ok</samp>"),
        ("<pre>a\n b</pre>c<textarea>d</textarea>", "<pre>a\n b</pre>C<textarea>d</textarea>"),
        ("<script>if (a<b) c('</p>')</script>d", "<script>if (a<b) c('</p>')</script>D"),
        ("<style>a{}</style>b", "<style>a{}</style>B"),
        ("<SCRIPT>a</SCRIPT >b<svg><text>c</text></svg>", "<SCRIPT>a</SCRIPT >B<svg><text>c</text></svg>"),
        ("a <span translate='no'>b <i>c</i></span> d", "A <span translate='no'>b <i>c</i></span> D"),
        ("a <b class='x notranslate'>b</b> c", "A <b class='x notranslate'>b</b> C"),
        ("<div translate=no>a<p translate=yes>b</p><code>c</code>d</div>e",
         "<div translate=no>a<p translate=yes>B</p><code>c</code>d</div>E"),
        ("<p class=notranslate>a<p>b", "<p class=notranslate>a<p>B"),
        ("<!DOCTYPE html><!-- a --><p>b <!-- c --> d", "<!DOCTYPE html><!-- a --><p>B <!-- c --> D"),
        ("caf&eacute; d&#39;or &amp; &lt;b&gt;", "CAFÉ D'OR &amp; &lt;B&gt;"),
        ("10&nbsp;km &copy; a &copy 2", "10&nbsp;KM &copy; A &copy 2"),
        ("co&shy;operate", "COOPERATE"),
        ("<?php echo $a > 1 ?> b <%= c %> d", "<?php echo $a > 1 ?> B <%= c %> D"),
        ("it was <b>good", "IT WAS <b>GOOD"),
        ("it was</b> good</i>", "IT WAS</b> GOOD</i>"),
        ("<b><i>x y</b> z</i>", "<b><i>X Y</b> Z</i>"),
        ("<p>use <code>a<p>b", "<p>USE <code>a<p>B"),
        ("<p>use <code>a</p><p>b", "<p>USE <code>a</p><p>B"),
        ("a < b <3 & c <b title='", "A < B <3 & C <b title='"),
        ("a <!-- b", "A <!-- b"),
        ("<button>save</button><button>go</button>", "<button>SAVE</button><button>GO</button>"),
    ],
)  # fmt: skip
def test_words_are_translated_and_the_rest_stays(document: str, expected: str) -> None:
    assert shouted(cut_format(document, "html")) == expected


@pytest.mark.parametrize(
    ("document", "sentences"),
    [
        ("<b>Go on. Stop.</b> <i>Why</i> not?", ["Go on.", "Stop.", "<a/0>Why</a/0> not?"]),
        ("It is <b>big.</b> Is it <b>red?</b>", ["It is <a/0>big.</a/0>", "Is it <a/0>red?</a/0>"]),
        ("Use <code>x</code>. <code>y</code> is old.", ["Use \uf000.", "\uf000 is old."]),
        ("a <img src=x>\n\n b", ["a <img/0> b"]),
        ("<i class=icon></i> Save", ["Save"]),
        ("&nbsp;Yes&nbsp;", ["Yes"]),
        ("&quot;Yes&quot;", ["&quot;Yes&quot;"]),
        ("Tom &amp; Jerry", ["Tom &amp; Jerry"]),
        ("\uf000 is a <b>star</b>", ["\uf000 is a <a/1>star</a/1>"]),
    ],
)
def test_the_network_s_side_sees_stand_ins(document: str, sentences: list[str]) -> None:
    assert cut_format(document, "html").sentences == sentences


def test_what_a_network_writes_is_never_a_tag_of_the_document() -> None:
    passage = cut_format("Say <b>it</b> now", "html")
    written = passage.restored(0, "Di <a/0>lo</a/0> <script>x</script> <a/7> ya <!-- y")
    assert written == "Di <b>lo</b> &lt;script>x&lt;/script>  ya &lt;!-- y"


@pytest.mark.parametrize("part", ["<a ", '<a x="', "<!--", "<?php ", "<b>", "<div></b>", "<p><code>", "a</b>. B "])
def test_the_time_grows_with_the_length_and_no_faster(part: str) -> None:
    assert_time_is_linear(lambda text: shouted(cut_format(text, "html")), part)
