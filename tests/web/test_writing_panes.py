"""The panes Translate and Generate, used in a real browser as a person would, with the models that ship."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("selenium", reason="selenium is not installed: pip install '.[browser]'")

from bench.playground.browser import Keys, Page

pytestmark = pytest.mark.browser


def ask(page: Page, path: str, body: Any) -> Any:
    """The same of the service, beside the page."""
    code = """const [path, body] = given, headers = {"Content-Type": "application/json"};
    return (await fetch(path, {method: "POST", headers, body})).json()"""
    return page.script(code, path, json.dumps(body))


def translated(page: Page) -> list[str]:
    return page.texts("#translate-out .target-words")


def choose_language(page: Page, language: str) -> None:
    """Choose the language to translate to, by its English name."""
    [choice] = [each for each in page.all("#translate-pair option") if f"to {language}" in each.text]
    choice.click()


def test_translate_follows_the_typing(page: Page) -> None:
    page.open("translate")
    choose_language(page, "Spanish")
    page.until(lambda: len(translated(page)) == 2)
    page.write("#translate-text", "Where is the station? I love this book.")
    page.until(lambda: page.texts("#translate-out .source-words") == ["Where is the station?", "I love this book."])
    page.until(lambda: "2 sentences" in page.text("#translate .status"))
    body = {"text": "Where is the station? I love this book.", "target": "es", "num_hypotheses": 4, "attention": True}
    [result] = ask(page, "translate", body)["results"]
    assert translated(page) == [sentence["translation"] for sentence in result["sentences"]]
    assert len(translations_asked(page)) < 20, "one request a pause, not one a letter"
    choose_language(page, "German")
    page.until(lambda: "Ich liebe dieses Buch." in translated(page))


def test_translate_shows_what_a_word_was_made_from(page: Page) -> None:
    page.open("translate")
    choose_language(page, "Spanish")
    page.write("#translate-text", "I love this book.")
    page.until(lambda: page.texts("#translate-out .source-words") == ["I love this book."])
    [libro] = [word for word in page.all("#translate-out [role=button]") if word.text == "libro"]
    page.point_at(libro)
    page.until(lambda: page.text("#translate-readout").startswith("libro was made from book"))
    assert page.texts("#translate-out .source-words .lit") == ["book"]
    page.driver.execute_script("document.querySelector('#translate-out [role=button]').focus()")
    page.press(Keys.END, Keys.ARROW_LEFT)
    page.until(lambda: page.text("#translate-readout").startswith("este was made from this"))
    for details in page.all("#translate-out summary"):
        details.click()
    [sentence] = page.copied_answer("translate")
    assert page.texts("#translate-out ol span") == [each["translation"] for each in sentence["hypotheses"][1:]]
    assert len(page.all("#translate-out .heat td[style]")) == sum(map(len, sentence["attention"]["weights"]))
    assert page.text("#translate-out .heat thead").split()[-1] == "end"


def test_translate_says_where_it_is_not_sure(page: Page) -> None:
    page.open("translate")
    choose_language(page, "Spanish")
    page.write("#translate-text", "I love this book. The quiddity of floccinaucinihilipilification vexes jabberwocks.")
    page.until(lambda: "quiddity" in "".join(page.texts("#translate-out .source-words")[1:]))
    page.until(lambda: "2 sentences" in page.text("#translate .status"))
    [card] = [
        card for card in page.script("return (await (await fetch('models')).json()).models") if card["name"] == "en-es"
    ]
    unsure = [each["confidence"] < card["confidence"]["threshold"] for each in page.copied_answer("translate")]
    assert unsure[1]
    shown = [len(pairing.find_elements("css selector", ".warn")) > 0 for pairing in page.all("#translate-out .pairing")]
    assert shown == unsure


def test_a_translation_that_is_superseded_is_cancelled(page: Page) -> None:
    page.open("translate")
    page.until(lambda: "2 sentences" in page.text("#translate .status"))
    before = len(translations_asked(page))
    page.cdp("Network.enable")
    slow(page, 2000)
    page.write("#translate-text", "It was a long road over the hills to the old town, and nobody spoke. " * 8)
    page.until(lambda: len(translations_asked(page)) > before)
    superseded = translations_asked(page)[-1]
    page.write("#translate-text", "Where is the station?")
    page.until(lambda: superseded in [each["requestId"] for each in page.events("Network.loadingFailed")])
    slow(page, -1)
    page.until(lambda: page.texts("#translate-out .source-words") == ["Where is the station?"])
    page.until(lambda: "1 sentence translated" in page.text("#translate .status"))
    assert page.text("#translate .error") == ""


def translations_asked(page: Page) -> list[str]:
    """The browser's numbers of all requests to translate."""
    events = page.events("Network.requestWillBeSent")
    return [each["requestId"] for each in events if each["request"]["url"].endswith("/translate")]


def slow(page: Page, bytes_a_second: int) -> None:
    """A slow line to the service; -1 is as fast as it goes."""
    page.cdp(
        "Network.emulateNetworkConditions",
        offline=False,
        latency=0,
        downloadThroughput=bytes_a_second,
        uploadThroughput=-1,
    )


def tokens(page: Page) -> list[str]:
    return [node.get_property("textContent") for node in page.all("#generate-out .tokens [role=button]")]


def test_generate_writes_and_shows_what_else_could_have_come(page: Page) -> None:
    page.open("generate")
    page.one("#generate-temperature").send_keys(Keys.HOME)
    page.one("#generate-top-p").send_keys(Keys.END)
    page.write("#generate-prompt", "The history of the city")
    page.click("#generate-go")
    page.until(lambda: "written" in page.text("#generate .status"))
    body = page.asked("generate")
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0, 1, 64)
    [sample] = ask(page, "generate", {**body, "stream": False})["results"][0]["samples"]
    assert tokens(page) == [token["text"] for token in sample["tokens"]]
    first = page.all("#generate-out .tokens [role=button]")[0]
    page.point_at(first)
    page.until(lambda: page.shown("#generate-choices"))
    offered = page.texts("#generate-choices button")
    assert offered == [each["text"] for each in sample["tokens"][0]["top"]]
    assert "%" in page.text("#generate-choices .is")
    first.click()
    other = page.all("#generate-choices button")[1]
    other.click()
    page.until(lambda: page.text("#generate-out .given") == f"The history of the city{offered[1]}")
    page.until(lambda: "written" in page.text("#generate .status"))


def test_generate_goes_on_from_the_end_by_the_state(page: Page) -> None:
    page.open("generate")
    page.one("#generate-temperature").send_keys(Keys.HOME)
    page.one("#generate-tokens").send_keys(Keys.HOME)
    page.write("#generate-prompt", "The history of the city")
    page.click("#generate-go")
    page.until(lambda: "written" in page.text("#generate .status"))
    whole, state = page.text("#generate-out"), page.copied_answer("generate")["state"]
    page.click("#generate-more")
    page.until(lambda: page.text("#generate-out .given") == whole)
    page.until(lambda: "written" in page.text("#generate .status"))
    body = page.asked("generate")
    assert (body["prompt"], body["state"]) == ("", state)
    assert len(tokens(page)) > 0


def test_a_model_of_conversations_remembers(page: Page) -> None:
    page.open("generate")
    if not page.all("#generate-model [value=en-memory]"):
        pytest.skip("en-memory is not among the models")
    page.choose("#generate-model", "en-memory")
    for number, said in enumerate(("My name is Alice.", "How are you?", "What is my name?"), 1):
        page.write("#talk-text", f"{said}{Keys.ENTER}")
        page.until(lambda number=number: f"{number} turn" in page.text("#talk-state"))
    assert page.asked("generate")["temperature"] == 0
    assert "Alice" in page.texts("#talk-out .bot")[-1]


def test_generate_stops_when_told(page: Page) -> None:
    page.open("generate")
    page.cdp("Network.enable")
    slow(page, 3000)
    page.one("#generate-tokens").send_keys(Keys.END)
    page.one("#generate-temperature").send_keys(Keys.END)
    page.write("#generate-seed", "3")
    page.click("#generate-go")
    page.until(lambda: len(tokens(page)) > 1)
    page.click("#generate-write .stop")
    assert page.text("#generate .status") == "Stopped."
    slow(page, -1)
    at_once = len(tokens(page))
    page.script("await new Promise((go) => setTimeout(go, 400))")
    assert len(tokens(page)) == at_once < 250
    assert not page.one("#generate-write .stop").is_enabled()


def test_a_conversation_goes_on_from_its_state(page: Page) -> None:
    page.open("generate")
    page.click("#generate label:has([value=talk])")
    page.write("#talk-text", f"My name is Alice.{Keys.ENTER}")
    page.until(lambda: "1 turn so far" in page.text("#talk-state"))
    assert "state" not in page.asked("generate")
    state = page.copied_answer("generate")["state"]
    page.write("#talk-text", f"What is my name?{Keys.ENTER}")
    page.until(lambda: "2 turns so far" in page.text("#talk-state"))
    body = page.asked("generate")
    assert body["state"] == state
    assert "Alice" not in body["prompt"]
    said = [turn.splitlines()[-1] for turn in page.texts("#talk-out .user")]
    assert said == ["My name is Alice.", "What is my name?"]
    page.click("#talk-new")
    assert page.texts("#talk-out .turn") == []
