"""The panes Tag, Classify and Inside, used in a real browser as a person would, with the models that ship."""

from __future__ import annotations

import json
import sys
from itertools import chain

import pytest

pytest.importorskip("selenium", reason="selenium is not installed: pip install '.[browser]'")

from bench.playground.browser import PATIENCE_SECONDS, Keys, Page
from tests.programs import check

pytestmark = pytest.mark.browser

WORDS = """return [...document.querySelectorAll("#tag-out .word")].map((word) =>
    [word.firstChild.data, word.querySelector("i")?.textContent])"""
MAPS = """return [...document.querySelectorAll("#inside-out .network")].map((each) =>
    [...each.querySelectorAll(".map")].map((map) => map.children.length))"""
READ = """const {read, unpack, wordsOf} = await import(new URL("playground/cells.js", document.baseURI));
const file = await (await fetch("playground/inside.json")).json(), words = file.words.split(" ");
const tables = unpack(file.tables);
const vectors = wordsOf(file.example.text).map((word) => tables.words[words.indexOf(word) + 1]);
return Object.entries(file.example.states).map(([name, exact]) => {
  const steps = read(tables, name, vectors);
  return [exact.probabilities, steps.map((step) => step.probabilities), exact.hidden.at(-1), steps.at(-1).hidden];
})"""


def test_tag_shows_entities_and_parts_of_speech(page: Page) -> None:
    page.open("tag")
    page.write("#tag-text", "Kim moved to Hong Kong. <b>Ünder</b> 😀 Angela Merkel!")
    page.until(lambda: "Angela Merkel" in [node.replace("\n", " ") for node in entities(page)])
    [result] = page.copied_answer("tag")["results"]
    assert entities(page) == [entity["text"] for entity in result["entities"]]
    assert page.texts("#tag-out .entity .kind") == [entity["label"] for entity in result["entities"]]
    tokens = [token for sentence in result["sentences"] for token in sentence["tokens"]]
    shown = page.driver.execute_script(WORDS)
    assert shown == [[t["text"], t["upos"] if t["upos"] != "PUNCT" else None] for t in tokens]
    assert "Server-Timing" in page.text("#tag .timing")
    assert "en-tagger" in page.text("#tag .card")
    page.click("#tag label:has([value=table])")
    rows = page.texts("#tag-out tbody th")
    assert rows == [token["text"] for token in tokens]


def entities(page: Page) -> list[str]:
    """The texts of the coloured spans."""
    return list(
        page.driver.execute_script(
            """return [...document.querySelectorAll('#tag-out .entity')].map((mark) => {
                 const copy = mark.cloneNode(true);
                 for (const each of copy.querySelectorAll('i, .kind')) each.remove();
                 return copy.textContent;
               })"""
        )
    )


def test_classify_shows_all_classes_of_each_line(page: Page) -> None:
    page.open("classify")
    page.write("#classify-text", f"I love it.{Keys.ENTER}{Keys.ENTER}It is awful.")
    page.until(lambda: page.texts("#classify-out h3") == ["I love it.", "It is awful."])
    results = page.copied_answer("classify")["results"]
    assert (
        page.texts("#classify-out .is span:first-child")
        == [each["label"] for each in results]
        == ["positive", "negative"]
    )
    labels = page.texts("#classify-out .text:first-child li span:first-child")
    assert labels == ["negative", "neutral", "positive"]
    page.choose("#classify-model", "en-emotion")
    page.until(lambda: "en-emotion" in page.text("#classify .card") and page.all("#classify-out details"))
    assert len(page.all("#classify-out .text:first-child .mark")) == 28
    assert "love" in page.texts("#classify-out .text:first-child .is span:first-child")
    page.choose("#classify-model", "en-intent")
    page.until(lambda: "of the group" in page.text("#classify-out"))


def test_inside_computes_what_pytorch_computes(page: Page) -> None:
    page.open("inside")
    for probabilities, shown, hidden, last in page.script(READ):
        assert sum(map(len, shown)) > 30
        assert [*chain(*shown)] == pytest.approx([*chain(*probabilities)], abs=2e-5)
        assert last == pytest.approx(hidden, abs=2e-5)


def test_inside_tells_words_apart_as_training_does(page: Page) -> None:
    page.open("inside")
    code = (
        """const {wordsOf} = await import(new URL("playground/cells.js", document.baseURI)); return wordsOf(given[0])"""
    )
    words = page.script(code, "It’s not_bad, 3.5 naïve 😀")
    assert words == ["it's", "not", "_", "bad", ",", "3", ".", "5", "naïve", "😀"]  # as in test_inside.py of training


def test_inside_shows_every_unit_of_every_gate(page: Page) -> None:
    page.open("inside")
    page.write("#inside-text", "It was not bad at all.")
    page.until(lambda: len(page.all("#inside-steps button")) == 7)
    assert page.driver.execute_script(MAPS) == [[7 * 16], [7 * 16] * 4, [7 * 16] * 6]
    page.all("#inside-steps button")[3].click()
    page.until(lambda: page.text("#inside-readout").startswith("After “bad”: RNN negative"))
    page.driver.execute_script("document.querySelector('#inside-steps [aria-pressed=true]').focus()")
    page.press(Keys.ARROW_RIGHT)
    page.until(lambda: page.text("#inside-readout").startswith("After “at”"))
    page.point_at(page.all("#inside-out .map i")[4])
    page.until(lambda: page.text("#inside-readout").startswith("RNN, hidden state: unit"))
    output = check([sys.executable, "-c", page.code("inside", "Python")], timeout=PATIENCE_SECONDS)
    verdicts = dict(zip(("rnn", "gru", "lstm"), page.texts("#inside-out .verdict"), strict=True))
    for line in output.splitlines():
        name, _, probabilities = line.partition(" ")
        likeliest = max(json.loads(probabilities.replace("'", '"')).items(), key=lambda pair: pair[1])
        assert verdicts[name] == f"At the end: {likeliest[0]} {round(100 * likeliest[1])} %"
