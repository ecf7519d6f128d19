"""POST /translate with HTML and Markdown: marks, code and addresses stay, in answers and in streams."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from service.text.placeholders.items import scan
from service.text.placeholders.masking import compose
from tests.api.test_translate import translation_of
from tests.application import Served, problem_of
from tests.fakes.letters import say, subwords
from tests.text.markup import test_html, test_markdown

HTML = (
    '<h1 class="big">Good day</h1>\n<p>Click <b>save</b> now. It is\n  <a href="/x?a=1&amp;b=2">very   easy</a>!</p>'
    "<pre>no change</pre>"
)
MARKDOWN = "# Good day\n\n- Click **save** now.\n- It is [very\n  easy](/x 'no')!\n\n```\nno change\n```\n"


def test_html_keeps_its_tags(served: Served) -> None:
    assert translation_of(served, HTML, format="html") == (
        f'<h1 class="big">{say("Good day")}</h1>\n'
        f"<p>{say('Click')} <b>{say('save')}</b> {say('now.')} {say('It is')} "
        f'<a href="/x?a=1&amp;b=2">{say("very easy")}</a>!</p><pre>no change</pre>'
    )


def test_markdown_keeps_its_marks(served: Served) -> None:
    assert translation_of(served, MARKDOWN, format="markdown") == (
        f"# {say('Good day')}\n\n- {say('Click')} **{say('save')}** {say('now.')}\n"
        f"- {say('It is')} [{say('very easy')}](/x 'no')!\n\n```\nno change\n```\n"
    )


def test_text_is_the_default(served: Served) -> None:
    assert (
        translation_of(served, MARKDOWN)
        == translation_of(served, MARKDOWN, format="text")
        != (translation_of(served, MARKDOWN, format="markdown"))
    )


@pytest.mark.parametrize(
    ("text_format", "text", "expected"),
    [
        ("html", "Run <code>make all</code> now", f"{say('Run')} <code>make all</code> {say('now')}"),
        ("html", "Tom &amp; Kim like caf&eacute;s", f"{say('Tom')} &amp; {say('Kim like caf')}é{say('s')}"),
        ("html", "It is <b>open", f"{say('It is')} <b>{say('open')}"),
        ("html", "It</i> is open <a href='", f"{say('It')}</i> {say('is open')} <a href='"),
        ("html", "a <b translate='no'>Big Deal</b> here", f"{say('a')} <b translate='no'>Big Deal</b> {say('here')}"),
        ("html", "<code>no</code> <!-- no --> &nbsp;", "<code>no</code> <!-- no --> &nbsp;"),
        ("markdown", "Run `make all` now", f"{say('Run')} `make all` {say('now')}"),
        ("markdown", "|*Good*|\n|-|\n|so|", f"|*{say('Good')}*|\n|-|\n|{say('so')}|"),
        ("markdown", "See ![no](no.png) <https://no.no>", f"{say('See')} ![no](no.png) <https://no.no>"),
    ],
)  # fmt: skip
def test_what_is_not_text_stays(served: Served, text_format: str, text: str, expected: str) -> None:
    assert translation_of(served, text, format=text_format) == expected


@pytest.mark.parametrize(("text_format", "text"), [("html", HTML), ("markdown", MARKDOWN)])
def test_sentences_stand_where_they_say_and_a_stream_has_them_too(served: Served, text_format: str, text: str) -> None:
    text = text.replace("Good day", "Good 😀 day")
    [result] = served.translate(text=text, format=text_format, offset_unit="utf16")["results"]
    encoded = text.encode("utf-16-le")
    surfaces = [_surface(encoded, each["source"]) for each in result["sentences"]]
    assert surfaces[:2] == ["Good 😀 day", "Click <b>save</b> now." if text_format == "html" else "Click **save** now."]
    events = served.stream("/translate", text=text, format=text_format, offset_unit="utf16")
    found = {event["sentence"]: event["translation"] for name, event in events if name == "sentence"}
    assert [found[place] for place in sorted(found)] == [each["translation"] for each in result["sentences"]]
    assert all(each["translation"] in result["translation"] for each in result["sentences"])


def _surface(encoded: bytes, source: Any) -> str:
    return encoded[2 * source["start"] : 2 * source["end"]].decode("utf-16-le")


def test_hypotheses_and_attention_name_what_is_in_the_document(served: Served) -> None:
    request: dict[str, Any] = {"text": "<p>Run <code>x y</code> <b>now</b></p>", "format": "html", "attention": True}
    [result] = served.translate(**request, num_hypotheses=3)["results"]
    assert len({each["translation"] for each in result["hypotheses"]}) == len(result["hypotheses"]) > 1
    for hypothesis in result["hypotheses"]:
        assert hypothesis["translation"].startswith("<p>")
        assert all(hypothesis["translation"].count(each) == 1 for each in ("<code>x y</code>", "<b>", "</b>"))
    assert "<code>x y</code>" in result["sentences"][0]["attention"]["source_tokens"]


def test_an_unknown_format_is_refused(served: Served) -> None:
    problem_of(served.post("/translate", text="a", format="xml"), 422, "invalid_request")


def test_numbers_are_written_as_the_target_language_does_if_asked(served: Served) -> None:
    assert "1.250,5" in translation_of(served, "<b>It was 1,250.5 long</b>", format="html", localize_numbers=True)
    assert "1,250.5" in translation_of(served, "<b>It was 1,250.5 long</b>", format="html")


@pytest.mark.parametrize(("text_format", "soup"), [("html", test_html.SOUP), ("markdown", test_markdown.SOUP)])
def test_any_document_is_answered(served: Served, text_format: str, soup: Any) -> None:
    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
    @given(soup)
    def answers(text: str) -> None:
        [result] = served.translate(text=text, format=text_format, truncate=True, target="de")["results"]
        assert isinstance(result["translation"], str)

    answers()


ODD = (
    *("", " ", "\ue000 and \ue01f are \ue020", "\uf000\uf001 \uf8fe is \uf8ff", "\u2581 a \u2581", "\x01 a \x7f"),
    *("<a/0>a</a/0> <img/1> b", "<b></b><p></p><br>", "<!-- a --> &nbsp;", "** __ ~~ ``", "</b></i> a <b><i>", "<a"),
    *("x" * 5_000, "{0} " * 500 + "is it", "{0}{1}" * 250 + "is it", "I have 5 and x_y, " * 20, "5 000 " * 99),
    *("a" + "\u0301" * 500, "\u200d\u200b\ufeff", "1, 2; 3 and 4: 5 - 6 " * 9, "AND THEN " * 50, "\U000f0000\uffff"),
)


@pytest.mark.parametrize("text_format", ["text", "html", "markdown"])
def test_odd_texts_are_answered_and_keep_their_items(served: Served, text_format: str) -> None:
    results = served.translate(text=list(ODD), format=text_format, beam_size=1)["results"]
    assert len(results) == len(ODD)
    if text_format == "text":
        for text, result in zip(ODD, results, strict=True):
            assert items_of(result["translation"]) == items_of(text)
    halves = {"text": "a \ud800 b", "target": "es", "format": text_format}
    answer = served.client.post("/translate", content=json.dumps(halves))  # JSON can say it, UTF-8 cannot
    assert answer.status_code in (200, 400, 422)


def items_of(text: str) -> Counter[str]:
    return Counter(each.text for each in scan(compose(text), subwords().alphabet))
