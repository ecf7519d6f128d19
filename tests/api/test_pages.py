"""GET /models, /health, /metrics and /schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from service.bundle import write_manifest
from tests.api.conftest import Serve, Served
from tests.api.test_bad_input import problem_of
from tests.fakes import (
    CLASSIFIER,
    GRAPH,
    LABELS,
    LANGUAGE_MODEL,
    MAX_NEW_TOKENS,
    MAX_PROMPT_TOKENS,
    MAX_SOURCE_TOKENS,
    MAX_TARGET_TOKENS,
    MAX_TOKENS,
    NAME,
    TRANSLATOR,
    VERSION,
    XPOS,
    manifest,
    write_bundle,
    write_classifier,
    write_translator,
)


def test_models_are_described(served: Served) -> None:
    classifier, writer, tagger, translator = sorted(
        served.client.get("/models").json()["models"], key=lambda model: model["task"]
    )
    for model in (classifier, writer, tagger, translator):
        assert re.fullmatch("[0-9a-f]{64}", model.pop("checksum"))
    common = {
        "version": VERSION,
        "languages": ["en"],
        "default": True,
        "precision": "fp32",
        "device": "cpu",
        "limits": {
            "max_tokens": MAX_TOKENS,
            "max_items": 128,
            "max_text_length": 50_000,
            "max_request_length": 131_072,
        },
        "licence": "CC0-1.0",
        "commercial_use": None,
    }
    assert tagger == common | {
        "name": NAME,
        "task": "tag",
        "labels": {"upos": ["NOUN", "VERB", "ADP", "X"], "xpos": list(XPOS), "entity": ["PER", "LOC"]},
        "metrics": {"upos": 1.0},
    }
    assert classifier == common | {
        "name": CLASSIFIER,
        "multi_label": False,
        "task": "classify",
        "labels": {"label": list(LABELS)},
        "metrics": {"accuracy": 1.0},
    }
    limits = {"max_tokens": MAX_SOURCE_TOKENS, "max_target_tokens": MAX_TARGET_TOKENS}
    assert translator == common | {
        "name": TRANSLATOR,
        "task": "translate",
        "languages": ["en", "es", "de"],
        "pairs": [{"source": "en", "target": "es"}, {"source": "en", "target": "de"}],
        "labels": {},
        "limits": common["limits"] | limits,
        "metrics": {"bleu": 100.0},
    }
    assert writer == common | {
        "name": LANGUAGE_MODEL,
        "task": "generate",
        "labels": {},
        "limits": common["limits"] | {"max_tokens": MAX_PROMPT_TOKENS, "max_target_tokens": MAX_NEW_TOKENS},
        "metrics": {"perplexity": 100.0},
    }


def test_the_process_lives_and_is_ready(served: Served) -> None:
    assert served.client.get("/health/live").json() == {"status": "live"}
    assert served.client.get("/health/ready").json() == {"status": "ready"}


def test_metrics_are_prometheus_text(served: Served) -> None:
    response = served.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    declared = re.findall(r"^# TYPE (\w+) ", response.text, re.MULTILINE)
    assert "ribbon_queue_oldest_age_seconds" in declared
    assert "process_resident_memory_bytes" in declared


def test_two_applications_share_nothing(serve: Serve) -> None:
    one, two = serve(), serve()
    one.tag(text="a")
    assert two.metric("ribbon_tokens_total") == 0


def test_the_schema_is_openapi_3_1_and_has_a_page(served: Served) -> None:
    schema = served.client.get("/schema/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    assert set(schema["paths"]) == {
        "/tag",
        "/classify",
        "/translate",
        "/generate",
        "/score",
        "/compat/libretranslate/translate",
        "/compat/libretranslate/languages",
        "/models",
        "/health/live",
        "/health/ready",
        "/metrics",
    }
    for path in ("/tag", "/classify", "/translate", "/generate", "/score"):
        responses = schema["paths"][path]["post"]["responses"]
        assert set(responses) >= {"200", "400", "404", "413", "415", "422", "429", "503", "504"}
        assert "application/problem+json" in responses["422"]["content"]
    parts = schema["components"]["schemas"]
    assert set(parts["TokenAnswer"]["required"]) == {"text", "start", "end"}
    common = {"text", "model", "truncate", "strict"}
    assert set(parts["TagRequest"]["properties"]) == {*common, "tokens", "tasks", "offset_unit", "format"}
    assert set(parts["ClassifyRequest"]["properties"]) == common
    assert parts["ClassifyRequest"]["required"] == ["text"]
    assert set(parts["TranslateRequest"]["required"]) == {"text", "target"}
    assert parts["TranslateRequest"]["properties"]["beam_size"]["maximum"] == 16
    page = served.client.get("/schema")
    assert page.headers["content-type"].startswith("text/html")


Write = Callable[..., Path]
each_task = pytest.mark.parametrize(
    ("route", "setting", "write"),
    [
        ("/tag", "default_tagger", write_bundle),
        ("/classify", "default_classifier", write_classifier),
        ("/translate", "default_translator", write_translator),
    ],
)


def defaults(served: Served) -> list[str]:
    return [model["name"] for model in served.client.get("/models").json()["models"] if model["default"]]


@each_task
def test_of_several_models_of_a_task_one_is_the_default(
    serve: Serve, tmp_path: Path, route: str, setting: str, write: Write
) -> None:
    for name in ("c-model", "b-model", "a-model"):
        write(tmp_path / "models", name=name)
    first = serve()
    assert first.ask(route, text="x")["model"]["name"] == "a-model"
    assert defaults(first) == ["a-model"]
    served = serve(**{setting: "b-model"})
    assert served.ask(route, text="x")["model"]["name"] == "b-model"
    assert served.ask(route, text="x", model="a-model")["model"]["name"] == "a-model"
    assert defaults(served) == ["b-model"]


@each_task
def test_a_bundle_may_say_that_it_is_the_default_and_a_setting_may_overrule_it(
    serve: Serve, tmp_path: Path, route: str, setting: str, write: Write
) -> None:
    write(tmp_path / "models", name="a-model")
    write(tmp_path / "models", name="b-model", default=True)
    assert serve().ask(route, text="x")["model"]["name"] == "b-model"
    assert serve(**{setting: "a-model"}).ask(route, text="x")["model"]["name"] == "a-model"


@pytest.mark.parametrize(
    ("write", "works", "lacks"),
    [
        (write_bundle, "/tag", "/classify"),
        (write_classifier, "/classify", "/translate"),
        (write_translator, "/translate", "/tag"),
    ],
)
def test_a_task_without_models_is_told_from_a_wrong_name(
    serve: Serve, tmp_path: Path, write: Write, works: str, lacks: str
) -> None:
    write(tmp_path / "models")
    served = serve()
    assert served.ask(works, text="x")
    for request in ({}, {"model": NAME}):
        document = problem_of(served.post(lacks, text="x", **request), 404, "unknown_model")
        assert document["detail"].startswith(f"no model here answers {lacks}")


def test_a_precision_is_served_where_it_is_had(serve: Serve, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "models")
    write_classifier(tmp_path / "models")
    precisions = {name: {"file": GRAPH, "metrics": {}, "max_drift": 1e-5} for name in ("fp32", "int8")}
    write_manifest(folder, manifest(NAME) | {"precisions": precisions})
    models = serve(precision="int8").client.get("/models").json()["models"]
    assert {model["name"]: model["precision"] for model in models} == {NAME: "int8", CLASSIFIER: "fp32"}
