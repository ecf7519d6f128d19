"""POST /tag as CoNLL-U and as spaCy's JSON: read by the packages that read these formats."""

from __future__ import annotations

import warnings
from typing import Any

import conllu
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.api.tag import CONLLU, SPACY_JSON
from tests.application import Served
from tests.fakes import MAX_TOKENS, NAME, VERSION

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=60) | st.lists(
    st.sampled_from(["Alice", "Hong", "Kong", "é", "😀", ".", "\n\n", " ", "plays"]), max_size=12
).map(" ".join)
for_all = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def as_conllu(served: Served, **request: Any) -> list[conllu.TokenList]:
    response = served.post("/tag", format="conllu", **request)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == f"{CONLLU}; charset=utf-8"
    return list(conllu.parse(response.text))


def as_spacy(served: Served, **request: Any) -> list[Any]:
    response = served.post("/tag", format="spacy", **request)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == SPACY_JSON
    return list(response.json()["results"])


@pytest.fixture(scope="module")
def spacy_doc() -> Any:
    """Reads a document as a user of spaCy does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of spaCy's own imports
        tokens = pytest.importorskip("spacy.tokens", reason="spaCy is not installed: its reader is not tried")
        from spacy.vocab import Vocab
    return lambda document: tokens.Doc(Vocab()).from_json(document, validate=True)


def test_conllu_is_written_as_its_format_says(served: Served) -> None:
    text = served.post("/tag", format="conllu", text=["Alice plays well.", "in Hong  Kong"]).text
    assert text == (
        f"# generator = {NAME}@{VERSION}\n"
        "# newdoc id = 0\n"
        "# sent_id = 0-0\n"
        "# text = Alice plays well.\n"
        "1\tAlice\t_\tNOUN\tNN\t_\t_\t_\t_\tstart_char=0|end_char=5|ner=S-PER\n"
        "2\tplays\t_\tVERB\tVBZ\t_\t_\t_\t_\tstart_char=6|end_char=11|ner=O\n"
        "3\twell\t_\tNOUN\tNN\t_\t_\t_\t_\tstart_char=12|end_char=16|ner=O|SpaceAfter=No\n"
        "4\t.\t_\tX\tFW\t_\t_\t_\t_\tstart_char=16|end_char=17|ner=O\n"
        "\n"
        "# newdoc id = 1\n"
        "# sent_id = 1-0\n"
        "# text = in Hong Kong\n"
        "1\tin\t_\tX\tFW\t_\t_\t_\t_\tstart_char=0|end_char=2|ner=O\n"
        "2\tHong\t_\tNOUN\tNN\t_\t_\t_\t_\tstart_char=3|end_char=7|ner=B-LOC\n"
        "3\tKong\t_\tNOUN\tNN\t_\t_\t_\t_\tstart_char=9|end_char=13|ner=E-LOC\n"
        "\n"
    )


def test_columns_that_were_not_asked_for_are_empty(served: Served) -> None:
    [[token]] = as_conllu(served, text="Alice", tasks=["pos"])
    assert (token["upos"], token["xpos"], "ner" in token["misc"]) == ("NOUN", "NN", False)
    [[token]] = as_conllu(served, text="Alice", tasks=["ner"])
    assert (token["upos"], token["xpos"], token["misc"]["ner"]) == ("_", None, "S-PER")
    [document] = as_spacy(served, text="Alice", tasks=["pos"])
    assert document["tokens"] == [{"id": 0, "start": 0, "end": 5, "tag": "NN", "pos": "NOUN"}]
    assert "ents" not in document
    [document] = as_spacy(served, text="Alice", tasks=["ner"])
    assert document["tokens"] == [{"id": 0, "start": 0, "end": 5}]
    assert document["ents"] == [{"start": 0, "end": 5, "label": "PER"}]


def test_a_text_without_an_answer_says_why_in_its_place(served: Served) -> None:
    texts = ["Alice", " ", "plays " * (MAX_TOKENS + 1), "Paris"]
    documents = as_conllu(served, text=texts)
    assert [(each.metadata["newdoc id"], each.metadata.get("reason"), len(each)) for each in documents] == [
        ("0", None, 1),
        ("1", "no_words", 0),
        ("2", "input_too_long", 0),
        ("3", None, 1),
    ]
    assert str(MAX_TOKENS) in documents[2].metadata["detail"]
    found = as_spacy(served, text=texts)
    assert [(each.get("text"), each.get("reason"), len(each["tokens"])) for each in found] == [
        ("Alice", None, 1),
        (" ", "no_words", 1),
        (None, "input_too_long", 0),
        ("Paris", None, 1),
    ]


def test_what_truncate_leaves_out_is_said_and_kept_as_text(served: Served) -> None:
    text = "plays " * (MAX_TOKENS + 2)
    [sentence] = as_conllu(served, text=text, truncate=True)
    assert (sentence.metadata["truncated"], len(sentence)) == ("true", MAX_TOKENS)
    [document] = as_spacy(served, text=text, truncate=True)
    assert document["truncated"]
    assert document["text"] == text
    assert document["tokens"][-1] == {
        "id": MAX_TOKENS, "start": 6 * MAX_TOKENS, "end": len(text), "tag": "", "pos": ""}  # fmt: skip


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/json"),
        ("text/html", "application/json"),
        (CONLLU, CONLLU),
        (SPACY_JSON, SPACY_JSON),
        (f"{CONLLU};q=0.5, application/json", "application/json"),
        (f"application/json;q=0.5, {CONLLU}, */*;q=0.1", CONLLU),
        (f"{CONLLU};q=inf", "application/json"),
        (f"{CONLLU};q=x;;,,", CONLLU),
    ],
)
def test_accept_chooses_where_the_request_does_not(served: Served, accept: str, media_type: str) -> None:
    answer = served.post("/tag", text="Alice", headers={"accept": accept})
    assert answer.headers["content-type"].partition(";")[0] == media_type
    named = served.post("/tag", text="Alice", format="json", headers={"accept": accept})
    assert named.headers["content-type"] == "application/json"


@pytest.mark.parametrize("unit", ["utf16", "byte"])
def test_both_count_in_code_points_alone(served: Served, unit: str) -> None:
    for form in ("conllu", "spacy"):
        problem = served.post("/tag", text="é", format=form, offset_unit=unit)
        assert problem.status_code == 422
        assert problem.json()["errors"] == [
            {"path": "offset_unit", "message": f"must be codepoint with the format {form}"}
        ]


def test_an_unknown_format_is_refused_with_those_that_are_known(served: Served) -> None:
    [error] = served.post("/tag", text="a", format="xml").json()["errors"]
    assert error == {"path": "format", "message": "Invalid enum value 'xml'; known are conllu, json, spacy"}


@for_all
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_conllu_has_the_same_tokens_as_json(served: Served, texts: list[str]) -> None:
    results = served.tag(text=texts)["results"]
    documents = as_conllu(served, text=texts)
    read: dict[str, list[conllu.TokenList]] = {}
    for each in documents:
        read.setdefault(str(len(read)) if "newdoc id" in each.metadata else str(len(read) - 1), []).append(each)
    assert len(read) == len(texts)
    for text, result, document in zip(texts, results, read.values(), strict=True):
        sentences = [sentence for sentence in document if sentence]
        assert len(sentences) == len(result["sentences"])
        for sentence, expected in zip(sentences, result["sentences"], strict=True):
            assert [(each["form"], each["upos"], each["xpos"], each["misc"]["ner"]) for each in sentence] == [
                (each["text"], each["upos"], each["xpos"], each["entity"]) for each in expected["tokens"]
            ]
            for each in sentence:
                assert text[int(each["misc"]["start_char"]) : int(each["misc"]["end_char"])] == each["form"]
            spaced = [each["form"] + ("" if each["misc"].get("SpaceAfter") == "No" else " ") for each in sentence]
            assert sentence.metadata["text"] == "".join(spaced).rstrip(" ")


@for_all
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_spacy_reads_its_own_shape(served: Served, spacy_doc: Any, texts: list[str]) -> None:
    results = served.tag(text=texts)["results"]
    for text, result, document in zip(texts, results, as_spacy(served, text=texts), strict=True):
        document.pop("reason", None)
        doc = spacy_doc(document)
        assert doc.text == text
        tokens = [token for sentence in result["sentences"] for token in sentence["tokens"]]
        assert [(each.text, each.idx, each.pos_, each.tag_) for each in doc if not each.text.isspace()] == [
            (each["text"], each["start"], each["upos"], each["xpos"]) for each in tokens
        ]
        assert {each.pos_ for each in doc if each.text.isspace()} <= {"SPACE"}
        assert [(each.text, each.label_, each.start_char) for each in doc.ents] == [
            (each["text"], each["label"], each["start"]) for each in result["entities"]
        ]
        assert [each.text.strip() for each in doc.sents if each.text.strip()] == [
            text[each["start"] : each["end"]] for each in result["sentences"]
        ]
        assert doc.to_json() == {**document, "ents": doc.to_json().get("ents")} or not doc.to_json().get("ents")
