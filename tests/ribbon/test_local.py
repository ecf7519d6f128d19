"""Models in this process: the same answers as over HTTP, streams that are left, and what is wrong said plainly."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

import ribbon
from ribbon.client import Client
from ribbon.local import local_settings
from tests.fakes import (
    CLASSIFIER,
    LANGUAGE_MODEL,
    NAME,
    TRANSLATOR,
    VERSION,
    damage,
    lexicon_graph,
    sentiment_graph,
    write_bundle,
    write_classifier,
)

Local = Callable[..., Client]


def test_a_tagger_is_called_with_a_text(folder: Path) -> None:
    with ribbon.load(NAME, models_dir=folder) as tagger:
        assert isinstance(tagger, ribbon.Tagger)
        assert [ent.text for ent in tagger("Alice plays with Paris.").ents] == ["Alice", "Paris"]
        assert [len(doc.tokens) for doc in tagger.all(["plays well"] * 200, tasks=["pos"])] == [2] * 200
        assert (tagger.info.name, tagger.info.task) == (NAME, "tag")


def test_a_classifier_is_called_with_a_text(folder: Path) -> None:
    with ribbon.load(f"{CLASSIFIER}@{VERSION}", models_dir=str(folder)) as classifier:
        assert isinstance(classifier, ribbon.Classifier)
        assert classifier("An exciting plot").label == "positive"
        assert [each.label for each in classifier.all(["good", "bad"])] == ["positive", "negative"]


def test_a_language_model_continues_and_scores(folder: Path) -> None:
    with ribbon.load(LANGUAGE_MODEL, models_dir=folder) as writer:
        assert isinstance(writer, ribbon.LanguageModel)
        text = writer("The", temperature=0, max_tokens=4).text
        streamed = "".join(getattr(event, "text", "") for event in writer.stream("The", temperature=0, max_tokens=4))
        assert text == streamed == next(writer.all(["The"], temperature=0, max_tokens=4)).text
        assert (writer.score(f"The{text}").logprob or 0) < 0


def test_answers_are_those_of_the_service(local: Local, client: Client) -> None:
    inside = local(task="translate")
    text = "Me too. See http://a.b and 1984."
    assert inside.translate(text, target="es", attention=True) == client.translate(text, target="es", attention=True)
    assert sorted(inside.translate_stream(text, target="es"), key=str) == sorted(
        client.translate_stream(text, target="es"), key=str
    )
    with pytest.raises(ribbon.InvalidRequestError, match="known pairs: en-de, en-es"):
        inside.translate("Hi.", target="xx")


def test_the_default_of_a_task_is_loaded_alone(local: Local) -> None:
    assert [model.name for model in local(task="classify").models()] == [CLASSIFIER]
    assert [model.name for model in local(task="translate").models()] == [TRANSLATOR]


def test_a_stream_may_be_left_at_any_time(folder: Path) -> None:
    with ribbon.load(LANGUAGE_MODEL, models_dir=folder) as writer:
        assert isinstance(writer, ribbon.LanguageModel)
        for _ in writer.stream("The", max_tokens=80):
            break
        left_open = writer.stream("The", max_tokens=80)
        next(left_open)
        assert writer("The", max_tokens=2).samples
    # Closing the model has ended both; what was read already may be closed later.
    left_open.close()  # type: ignore[attr-defined]


def test_the_collector_of_the_program_is_left_alone(folder: Path) -> None:
    before = gc.get_threshold()
    with ribbon.load(NAME, models_dir=folder):
        assert gc.get_threshold() == before


def test_a_missing_model_says_which_there_are(folder: Path) -> None:
    with pytest.raises(
        ribbon.ModelError, match=f"no model named 'nope'; known: {CLASSIFIER}, {NAME}, {LANGUAGE_MODEL}"
    ):
        ribbon.load("nope", models_dir=folder)


def test_a_folder_without_models_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(ribbon.ModelError, match="RIBBON_MODELS_DIR names another folder"):
        ribbon.load(NAME, models_dir=tmp_path)


def test_a_damaged_model_is_not_loaded_and_does_not_harm_others(folder: Path) -> None:
    damage(folder / NAME / "model.onnx")
    with pytest.raises(ribbon.ModelError, match=r"model\.onnx: checksum"):
        ribbon.load(NAME, models_dir=folder)
    with ribbon.load(CLASSIFIER, models_dir=folder) as classifier:
        assert classifier.info.name == CLASSIFIER


def test_a_model_that_answers_its_examples_otherwise_is_not_loaded(tmp_path: Path) -> None:
    write_classifier(tmp_path, graph=lexicon_graph())
    with pytest.raises(ribbon.ModelError, match="cannot answer the examples"):
        ribbon.load(CLASSIFIER, models_dir=tmp_path)


def test_the_highest_version_is_meant_unless_one_is_said(tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0"):
        write_bundle(tmp_path, version=version, folder=version, graph=lexicon_graph())
    for name, version in ((NAME, "1.10.0"), (f"{NAME}@1.9.0", "1.9.0")):
        with ribbon.load(name, models_dir=tmp_path) as tagger:
            assert tagger.info.version == version


def test_the_environment_says_how_models_run_and_not_who_may_ask(tmp_path: Path) -> None:
    environment = {
        "RIBBON_THREADS": "3",
        "RIBBON_PRECISION": "int8",
        "RIBBON_RATE_LIMIT_ITEMS": "1",
        "RIBBON_API_KEY": "the command line's",
        "RIBBON_URL": "likewise",
    }
    settings = local_settings(environment, tmp_path)
    assert (settings.threads, settings.precision, settings.models_dir) == (3, "int8", tmp_path)
    assert settings.rate_limit_items is None


def test_a_wrong_setting_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIBBON_THREADS", "none")
    with pytest.raises(ribbon.ModelError, match="RIBBON_THREADS=none"):
        ribbon.load(NAME, models_dir=folder)


def test_two_models_may_be_loaded_at_once(tmp_path: Path) -> None:
    write_bundle(tmp_path, graph=lexicon_graph())
    write_classifier(tmp_path, graph=sentiment_graph())
    with ribbon.load(NAME, models_dir=tmp_path) as tagger, ribbon.load(CLASSIFIER, models_dir=tmp_path) as classifier:
        assert isinstance(tagger, ribbon.Tagger)
        assert isinstance(classifier, ribbon.Classifier)
        assert tagger("Alice").ents
        assert classifier("good").label == "positive"


def test_every_name_of_the_package_is_there() -> None:
    assert all(getattr(ribbon, name) is not None for name in ribbon.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        ribbon.nope  # noqa: B018
