"""POST /tag: what a good request gets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.application import Serve, Served
from tests.fakes import MAX_TOKENS, NAME, VERSION

UNITS = {"codepoint": "utf-32-le", "utf16": "utf-16-le", "byte": "utf-8"}
WIDTHS = {"codepoint": 4, "utf16": 2, "byte": 1}


def cut(text: str, unit: str, start: int, end: int) -> str:
    """``text[start:end]`` in a unit."""
    width = WIDTHS[unit]
    return text.encode(UNITS[unit])[start * width : end * width].decode(UNITS[unit])


def tokens_of(result: Any) -> list[Any]:
    return [token for sentence in result["sentences"] for token in sentence["tokens"]]


def test_one_text(served: Served) -> None:
    assert served.tag(text="Alice plays well.") == {
        "model": {"name": NAME, "version": VERSION},
        "results": [
            {
                "sentences": [
                    {
                        "start": 0,
                        "end": 17,
                        "tokens": [
                            {"text": "Alice", "start": 0, "end": 5, "upos": "NOUN", "xpos": "NN", "entity": "S-PER"},
                            {"text": "plays", "start": 6, "end": 11, "upos": "VERB", "xpos": "VBZ", "entity": "O"},
                            {"text": "well", "start": 12, "end": 16, "upos": "NOUN", "xpos": "NN", "entity": "O"},
                            {"text": ".", "start": 16, "end": 17, "upos": "X", "xpos": "FW", "entity": "O"},
                        ],
                    }
                ],
                "entities": [{"text": "Alice", "label": "PER", "start": 0, "end": 5, "score": 0.9}],
            }
        ],
    }


def test_an_entity_of_two_words_is_cut_from_the_text_as_sent(served: Served) -> None:
    [result] = served.tag(text="in Hong  Kong")["results"]
    assert result["entities"] == [{"text": "Hong  Kong", "label": "LOC", "start": 3, "end": 13, "score": 0.9}]


def test_answers_come_in_order_one_an_item(served: Served) -> None:
    texts = ["Paris", "", "Alice plays. Alice plays with others.", " \n\t", "well"]
    results = served.tag(text=texts)["results"]
    assert [" ".join(token["text"] for token in tokens_of(result)) for result in results] == [
        "Paris",
        "",
        "Alice plays . Alice plays with others .",
        "",
        "well",
    ]
    assert [len(result["sentences"]) for result in results] == [1, 0, 2, 0, 1]


@pytest.mark.parametrize("text", ["", " ", "\n\t\u00a0\u2003"])
def test_text_without_words_gives_an_empty_answer(served: Served, text: str) -> None:
    for strict in (False, True):
        empty = {"sentences": [], "entities": [], "reason": "no_words"}
        assert served.tag(text=text, strict=strict)["results"] == [empty]
    assert served.session.shapes == []


def test_only_what_was_asked_for_is_answered(served: Served) -> None:
    [pos] = served.tag(text="Alice", tasks=["pos"])["results"]
    assert pos == {"sentences": [{"start": 0, "end": 5, "tokens": [
        {"text": "Alice", "start": 0, "end": 5, "upos": "NOUN", "xpos": "NN"}]}]}  # fmt: skip
    [ner] = served.tag(text="Alice", tasks=["ner"])["results"]
    assert tokens_of(ner) == [{"text": "Alice", "start": 0, "end": 5, "entity": "S-PER"}]
    assert len(ner["entities"]) == 1
    assert served.tag(text="Alice", tasks=["ner", "pos", "ner"]) == served.tag(text="Alice")


def test_tokens_are_one_sentence_and_never_split_again(served: Served) -> None:
    results = served.tag(tokens=[["Mr.", "Smith", ".", "don't", "Paris"], [], ["x"]])["results"]
    assert [(token["text"], token["start"], token["end"]) for token in tokens_of(results[0])] == [
        ("Mr.", 0, 3),
        ("Smith", 4, 9),
        (".", 10, 11),
        ("don't", 12, 17),
        ("Paris", 18, 23),
    ]
    assert len(results[0]["sentences"]) == 1
    assert results[0]["entities"][0]["text"] == "Paris"
    assert results[1] == {"sentences": [], "entities": [], "reason": "no_words"}
    assert len(tokens_of(results[2])) == 1


@pytest.mark.parametrize("unit", UNITS)
def test_offsets_of_tokens_index_them_joined_by_spaces(served: Served, unit: str) -> None:
    words = ["né", "😀", "Hong", "Kong"]
    [result] = served.tag(tokens=[words], offset_unit=unit)["results"]
    text = " ".join(words)
    assert [cut(text, unit, token["start"], token["end"]) for token in tokens_of(result)] == words
    assert [cut(text, unit, e["start"], e["end"]) for e in result["entities"]] == ["Hong Kong"]


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=60)
SPOKEN = st.lists(st.sampled_from(["Alice", "Hong", "Kong", "é", "😀", ".", "\n\n", "plays"]), max_size=12).map(
    " ".join
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(TEXTS | SPOKEN, min_size=1, max_size=4), st.sampled_from(sorted(UNITS)))
def test_offsets_slice_the_text_in_every_unit(served: Served, texts: list[str], unit: str) -> None:
    for text, result in zip(texts, served.tag(text=texts, offset_unit=unit)["results"], strict=True):
        for part in [*tokens_of(result), *result["entities"]]:
            assert cut(text, unit, part["start"], part["end"]) == part["text"]
        for sentence in result["sentences"]:
            assert sentence["start"] == sentence["tokens"][0]["start"]
            assert sentence["end"] == sentence["tokens"][-1]["end"]


def test_a_model_may_be_named_and_null_is_absent(served: Served) -> None:
    assert served.tag(text="x", model=NAME) == served.tag(text="x") == served.tag(text="x", model=None, tokens=None)


def test_a_long_request_goes_aside_and_answers_the_same(served: Served) -> None:
    sentence = "Alice plays well with others. "
    [result] = served.tag(text=sentence * 800)["results"]
    assert len(result["sentences"]) == 800
    last = tokens_of(result)[-1]
    assert (last["text"], last["end"]) == (".", len(sentence) * 800 - 1)


def test_a_charset_and_a_json_suffix_are_json(served: Served) -> None:
    for media_type in ("application/json; charset=UTF-8", "application/vnd.ribbon+json", ""):
        response = served.client.post("/tag", content=b'{"text": "x"}', headers={"content-type": media_type})
        assert response.status_code == 200, media_type


def test_a_value_that_looks_like_a_key_is_no_repeated_key(served: Served) -> None:
    assert len(tokens_of(served.tag(tokens=[["text", "tokens", "text"]])["results"][0])) == 3


def test_words_come_back_in_utf_8_unescaped(serve: Serve) -> None:
    response = serve().client.post("/tag", json={"text": "né 😀"})
    assert "né 😀".split()[1].encode() in response.content
    assert response.headers["content-type"] == "application/json"


def test_what_is_cut_is_said(served: Served) -> None:
    words = ["plays"] * (MAX_TOKENS + 2)
    refused = served.post("/tag", tokens=[words], strict=True)
    assert refused.status_code == 422
    long, short = served.tag(tokens=[words, ["well"]], truncate=True)["results"]
    assert (long["truncated"], short["truncated"]) == (True, False)
    assert len(tokens_of(long)) == MAX_TOKENS
    assert long["sentences"][0]["end"] == MAX_TOKENS * len("plays ") - 1
    assert "truncated" not in served.tag(text="well")["results"][0]


def test_an_item_with_too_long_a_sentence_costs_its_neighbours_nothing(fresh: Served) -> None:
    long = "plays " * (MAX_TOKENS + 1)
    before, refused, after = fresh.tag(text=["Alice", f"Well.\n\n{long}", "Paris"])["results"]
    detail = f"a sentence of {MAX_TOKENS + 1} tokens; this model reads at most {MAX_TOKENS}"
    assert refused == {"sentences": [], "entities": [], "reason": "input_too_long", "detail": detail}
    assert [before, after] == fresh.tag(text=["Alice", "Paris"])["results"]
    [refused] = fresh.tag(text=long, tasks=["pos"])["results"]
    assert refused == {"sentences": [], "reason": "input_too_long", "detail": detail}
    assert fresh.metric("ribbon_tokens_total") == 4
