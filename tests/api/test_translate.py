"""POST /translate: what a good request gets, and what a hard one."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.api.translate import MAX_WEIGHTS
from service.bundle import EXAMPLES, write_manifest
from tests.application import Serve, Served, problem_of
from tests.contract import events
from tests.fakes import (
    MAX_SOURCE_TOKENS,
    TRANSLATOR,
    VERSION,
    translator_manifest,
    write_translator,
)
from tests.fakes.letters import SCORE, say


def translation_of(served: Served, text: str, **request: Any) -> Any:
    [result] = served.translate(text=text, **request)["results"]
    return result["translation"]


def test_one_sentence(served: Served) -> None:
    score = round(SCORE, 4)
    assert served.translate(text="I love this book.") == {
        "model": {"name": TRANSLATOR, "version": VERSION},
        "results": [
            {
                "translation": say("I love this book."),
                "score": score,
                "hypotheses": [{"translation": say("I love this book."), "score": score}],
                "sentences": [
                    {
                        "source": {"start": 0, "end": 17},
                        "translation": say("I love this book."),
                        "score": score,
                        "complete": True,
                    }
                ],
                "truncated": False,
            }
        ],
    }


def test_answers_come_in_order_one_an_item(served: Served) -> None:
    texts = ["Me too.", "", "No. I am not! Are you?", "It is a rather long one, this", "\n Yes\n"]
    results = served.translate(text=texts)["results"]
    assert [result["translation"] for result in results] == [say(text) for text in texts]
    assert [len(result["sentences"]) for result in results] == [1, 0, 3, 1, 1]
    assert ["hypotheses" in result for result in results] == [True, False, False, True, True]


@pytest.mark.parametrize("text", ["", " ", "\n\t\u00a0\u2003\n"])
def test_text_without_words_stays_as_it_is_and_runs_nothing(served: Served, text: str) -> None:
    [result] = served.translate(text=text)["results"]
    assert result == {"translation": text, "score": 0.0, "sentences": [], "truncated": False}
    assert served.session.shapes == []


@pytest.mark.parametrize("text", ["😀", " 😀 🇩🇪\n", "1984", "https://a.b/c", "他们来了", "...", "\u200b", "\ue000"])
def test_what_cannot_be_translated_is_copied_and_runs_nothing(served: Served, text: str) -> None:
    [result] = served.translate(text=text, num_hypotheses=4, attention=True)["results"]
    assert result["translation"] == text
    assert result["hypotheses"] == [{"translation": text, "score": 0.0}]
    assert [each["attention"]["weights"] for each in result["sentences"]] == [[[1.0]]]
    assert served.session.shapes == []


def test_another_language_as_source_is_answered(served: Served) -> None:
    found = translation_of(served, "Это не английский. But this is, Маша!")
    assert found == f"Это не английский. {say('But this is')}, Маша!"


def test_numbers_addresses_and_emoji_go_round_the_network(served: Served) -> None:
    text = "In 1984 see http://A.b/c?d=E or A@b.Co 😀, I know! 🇩🇪"
    expected = f"{say('In')} 1984 {say('see')} http://A.b/c?d=E {say('or')} A@b.Co 😀, {say('I know')}! 🇩🇪"
    assert translation_of(served, text) == expected


def test_paragraphs_lists_and_spaces_are_kept(served: Served) -> None:
    text = "Dear Kim\n\n  Thanks.  We came home.\r\n- milk\n- 2 eggs \n\n\nYours\n"
    assert translation_of(served, text) == say(text)


def test_three_thousand_words_come_back_with_their_paragraphs(served: Served) -> None:
    paragraph = "We went out. It was cold, so we ran.\nNobody saw us!  Then we ate."
    text = "\n\n".join([paragraph] * 200)
    assert len(text.split()) == 3000
    [result] = served.translate(text=text, beam_size=1)["results"]
    assert result["translation"] == say(text)
    assert len(result["sentences"]) == 800


def test_sentences_stand_where_they_say_in_every_unit(served: Served) -> None:
    text = "Café 😀 is ñ. Me too."
    for unit, encoding, width in (("codepoint", "utf-32-le", 4), ("utf16", "utf-16-le", 2), ("byte", "utf-8", 1)):
        [result] = served.translate(text=text, offset_unit=unit)["results"]
        found = [each["source"] for each in result["sentences"]]
        encoded = text.encode(encoding)
        surfaces = [encoded[width * each["start"] : width * each["end"]].decode(encoding) for each in found]
        assert surfaces == ["Café 😀 is ñ.", "Me too."]


def test_hypotheses_are_as_many_as_asked_for_different_and_fall(served: Served) -> None:
    [result] = served.translate(text=" Me too.", num_hypotheses=4)["results"]
    found = result["hypotheses"]
    assert len({each["translation"] for each in found}) == len(found) == 4
    assert (found[0]["translation"], found[0]["score"]) == (result["translation"], result["score"])
    assert [each["score"] for each in found] == sorted((each["score"] for each in found), reverse=True)
    assert all(each["translation"].startswith(" ") for each in found)


def test_greedy_is_a_beam_of_one(served: Served) -> None:
    assert translation_of(served, "Me too.", beam_size=1) == say("Me too.")
    assert translation_of(served, "Me too.", beam_size=16, num_hypotheses=16) == say("Me too.")


def test_attention_rows_sum_to_one_as_they_are_printed(served: Served) -> None:
    request = {"text": "In 1984, a cat. No!", "target": "es", "attention": True}
    body = served.client.post("/translate", json=request).text
    [result] = json.loads(body, parse_float=Decimal)["results"]
    first, second = (each["attention"] for each in result["sentences"])
    assert first["source_tokens"][:6] == ["<2es>", "▁", "I", "n", "▁", "1984"]
    assert first["target_tokens"][:5] == ["▁", *say("In"), "▁", "1984"]
    assert second["target_tokens"] == ["▁", *say("No!")]
    for attention in (first, second):
        assert len(attention["weights"]) == len(attention["target_tokens"])
        assert all(len(row) == len(attention["source_tokens"]) and sum(row) == 1 for row in attention["weights"])


def test_a_length_penalty_divides_the_score(served: Served) -> None:
    [plain] = served.translate(text="Me too.", length_penalty=0)["results"]
    assert plain["score"] == pytest.approx(SCORE * (len("Me too.") + 2), abs=1e-3)


def test_a_translation_may_be_capped(served: Served) -> None:
    assert translation_of(served, "Me too.", max_length=4, beam_size=1) == say("Me")


def test_a_network_that_never_ends_is_stopped_by_the_cap(fresh: Served) -> None:
    fresh.session.ends = False
    for beam_size in (1, 4):
        found = translation_of(fresh, "Me and you", beam_size=beam_size)
        assert found.startswith(say("Me and you"))
        assert len(found) <= 19 + 8


def test_a_sentence_of_five_hundred_words_is_translated_in_parts(served: Served) -> None:
    text = "well and good " * 170
    long, short = served.translate(text=[text, "No."])["results"]
    assert (long["translation"], short["translation"]) == (say(text), say("No."))
    [sentence] = long["sentences"]
    assert sentence["source"] == {"start": 0, "end": len(text.rstrip())}
    assert (sentence["complete"], long["truncated"]) == (True, False)
    assert long["hypotheses"] == [{"translation": say(text), "score": sentence["score"]}]
    assert max(shape[1] for shape in served.session.shapes if len(shape) == 2) <= MAX_SOURCE_TOKENS


def test_what_cannot_be_cut_is_refused_unless_it_may_be_truncated(serve: Serve, tmp_path: Path) -> None:
    """The network reads one piece, and every letter is two."""
    folder = write_translator(tmp_path / "models")
    manifest = translator_manifest(TRANSLATOR)
    examples = [{"text": "1984", "target": "es", "translation": "1984", "score": 0.0}]
    (folder / EXAMPLES).write_text(json.dumps(examples), encoding="utf-8")
    write_manifest(folder, manifest | {"limits": {"max_tokens": 3, "max_target_tokens": 9}})
    served = serve()
    document = problem_of(served.post("/translate", text=["5", "ab"], strict=True), 422, "input_too_long")
    [error] = document["errors"]
    assert error["path"] == "text[1]"
    assert "4 tokens" in error["message"]
    assert "at most 3" in error["message"]
    number, refused, blank = served.translate(text=["5", "5 ab.\n\n6", " "])["results"]
    assert (number["translation"], blank["translation"]) == ("5", " ")
    assert not {"reason", "detail"} & {*number, *blank}
    assert refused == {
        "translation": None,
        "score": None,
        "sentences": [],
        "truncated": False,
        "reason": "input_too_long",
        "detail": refused["detail"],
    }
    assert "4 tokens" in refused["detail"]
    assert "at most 3" in refused["detail"]
    body = served.post("/translate", text=["ab", "5", "", "ab", "6"], stream=True).text
    told = [(name, json.loads(data)) for name, data in events(body)]
    assert [(name, data.get("item")) for name, data in told] == [
        ("refused", 0),
        ("refused", 3),
        ("sentence", 1),
        ("sentence", 4),
        ("done", None),
    ]
    assert told[0][1] == {"item": 0, "reason": "input_too_long", "detail": refused["detail"]}
    problem_of(served.post("/translate", text=["5", "ab"], strict=True, stream=True), 422, "input_too_long")
    assert served.session.shapes == []
    whole, cut = served.translate(text=["5", "ab"], truncate=True)["results"]
    assert (whole["truncated"], cut["truncated"]) == (False, True)


def test_a_translation_that_a_limit_cut_is_not_complete(served: Served) -> None:
    [result] = served.translate(text="Me too. No", max_length=4, beam_size=1)["results"]
    assert [each["complete"] for each in result["sentences"]] == [False, True]


def test_attention_that_would_make_too_large_an_answer_is_refused(served: Served) -> None:
    sentence = ", ".join(["it rained"] * 10) + ". "
    served.translate(text=sentence, attention=True)
    for stream in (False, True):
        document = problem_of(
            served.post("/translate", text=sentence * 60, attention=True, stream=stream), 422, "invalid_request"
        )
        assert document["errors"][0]["path"] == "attention"
        assert f"the limit is {MAX_WEIGHTS}" in document["detail"]
    assert served.post("/translate", text=sentence * 60, attention=True, max_length=2).status_code == 200


LOOPING = "We stayed at home, because it rained"


def test_a_sentence_that_loops_is_translated_again_in_halves(fresh: Served) -> None:
    fresh.session.loops_from = 30
    texts = [LOOPING, "Me too.", "5", f"No! {LOOPING}"]
    results = fresh.translate(text=texts, attention=True)["results"]
    assert [each["translation"] for each in results] == [say(text) for text in texts]
    [attention] = [each["attention"] for each in results[0]["sentences"]]
    assert attention["source_tokens"].count("</s>") == 2
    assert not any("degraded" in sentence for each in results for sentence in each["sentences"])
    assert fresh.metric("ribbon_tokens_total") > 0


def test_if_the_second_search_fails_the_first_one_is_answered(fresh: Served) -> None:
    fresh.session.loops_from = 30
    fresh.session.most_encoded = 1
    [result] = fresh.translate(text=LOOPING)["results"]
    assert result["translation"]
    assert result["translation"] != say(LOOPING)
    assert [sentence["degraded"] for sentence in result["sentences"]] == [True]
    assert len([shape for shape in fresh.session.shapes if len(shape) == 2]) == 2
    assert fresh.metric("ribbon_errors_total", kind="model_failed") == 0


CONFIDENCE = {
    "what": "that it is right",
    "weights": [{"feature": "uncovered_share", "weight": -4.0}, {"feature": "mean_log_probability", "weight": 1.0}],
    "bias": 2.0,
    "target_biases": {"de": -1.0},
    "threshold": 0.8,
    "measured_on": ["letters", "digits"],
}


def test_a_calibrated_model_says_how_sure_it_is_and_what_that_means(serve: Serve, tmp_path: Path) -> None:
    folder = write_translator(tmp_path / "models")
    write_manifest(folder, translator_manifest(TRANSLATOR) | {"confidence": CONFIDENCE})
    served = serve()
    [result] = served.translate(text="Me too. 5.", num_hypotheses=2)["results"]
    assert [each["confidence"] for each in result["sentences"]] == [0.869, 1.0]
    [german] = served.translate(text="Me too.", target="de")["results"]
    assert german["sentences"][0]["confidence"] == 0.71
    [card] = served.client.get("/models").json()["models"]
    assert card["confidence"] == {"what": "that it is right", "threshold": 0.8, "measured_on": ["letters", "digits"]}


@pytest.mark.parametrize("target", ["ES", "es-MX", "es_mx", "es-419"])
def test_a_target_may_be_any_tag_of_a_language(served: Served, target: str) -> None:
    assert translation_of(served, "Me too.", target=target, source="en-GB") == say("Me too.")


def test_the_pair_chooses_the_model_and_the_default_comes_first(serve: Serve, tmp_path: Path) -> None:
    models = tmp_path / "models"
    write_translator(models, name="a-german", targets=["de"])
    write_translator(models, name="b-both", default=True)
    write_translator(models, name="c-spanish", targets=["es"])
    served = serve()
    assert served.translate(text="a", target="de")["model"]["name"] == "b-both"
    served = serve(default_translator="c-spanish")
    assert served.translate(text="a", target="es")["model"]["name"] == "c-spanish"
    assert served.translate(text="Ab", target="de")["results"][0]["translation"] == "AB"
    assert served.translate(text="a", target="de")["model"]["name"] == "a-german"
    assert served.translate(text="a", target="de", model="b-both")["model"]["name"] == "b-both"
    document = problem_of(served.post("/translate", text="a", target="de", model="c-spanish"), 422, "invalid_request")
    assert document["errors"][0]["path"] == "target"
    assert document["detail"].endswith("known pairs: en-es")


def test_a_source_language_may_be_told(serve: Serve, tmp_path: Path) -> None:
    folder = write_translator(tmp_path / "models")
    manifest = translator_manifest(TRANSLATOR)
    another = {"source": "es", "target": "de", "tag": "<2de>"}
    write_manifest(folder, manifest | {"pairs": [*manifest["pairs"], another]})
    assert translation_of(serve(), "No es", source="es", target="de") == "NO ES"


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_any_text_is_answered_alike_alone_and_beside_others(served: Served, texts: list[str]) -> None:
    results = served.translate(text=texts, truncate=True)["results"]
    assert len(results) == len(texts)
    for text, result in zip(texts, results, strict=True):
        [alone] = served.translate(text=text, truncate=True)["results"]
        assert alone == result


def test_a_long_request_goes_aside_and_answers_the_same(served: Served) -> None:
    texts = ["We went home and slept. " * 10] * 80
    results = served.translate(text=texts, beam_size=1)["results"]
    assert results == served.translate(text=texts[0], beam_size=1)["results"] * 80


def test_translations_and_other_tasks_share_the_service(served: Served) -> None:
    with ThreadPoolExecutor(6) as pool:
        long = [pool.submit(translation_of, served, "We went home and slept.\n" * 40) for _ in range(3)]
        tagged = [pool.submit(served.tag, text="Alice plays") for _ in range(20)]
        assert all(future.result()["results"] for future in tagged)
        assert {future.result() for future in long} == {say("We went home and slept.\n" * 40)}


def test_the_shipped_limits_are_listed(served: Served) -> None:
    [card] = [card for card in served.client.get("/models").json()["models"] if card["task"] == "translate"]
    assert card["limits"]["max_tokens"] == MAX_SOURCE_TOKENS
    assert [f"{pair['source']}-{pair['target']}" for pair in card["pairs"]] == ["en-es", "en-de"]
