"""GET /models, /health, /metrics and /schema."""

from __future__ import annotations

import re

from tests.api.conftest import Serve, Served
from tests.fakes import MAX_TOKENS, NAME, VERSION, XPOS, write_bundle


def test_models_are_described(served: Served) -> None:
    [model] = served.client.get("/models").json()["models"]
    assert re.fullmatch("[0-9a-f]{64}", model.pop("checksum"))
    assert model == {
        "name": NAME,
        "version": VERSION,
        "task": "tag",
        "languages": ["en"],
        "labels": {"upos": ["NOUN", "VERB", "ADP", "X"], "xpos": list(XPOS), "entity": ["PER", "LOC"]},
        "default": True,
        "precision": "fp32",
        "limits": {
            "max_tokens": MAX_TOKENS,
            "max_items": 128,
            "max_text_length": 50_000,
            "max_request_length": 131_072,
        },
        "licence": "CC0-1.0",
        "metrics": {"upos": 1.0},
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
    assert set(schema["paths"]) == {"/tag", "/models", "/health/live", "/health/ready", "/metrics"}
    operation = schema["paths"]["/tag"]["post"]
    assert set(operation["responses"]) >= {"200", "400", "404", "413", "415", "422", "429", "503", "504"}
    assert "application/problem+json" in operation["responses"]["422"]["content"]
    parts = schema["components"]["schemas"]
    assert set(parts["TokenAnswer"]["required"]) == {"text", "start", "end"}
    assert set(parts["TagRequest"]["properties"]) == {"text", "tokens", "model", "tasks", "truncate", "offset_unit"}
    page = served.client.get("/schema")
    assert page.headers["content-type"].startswith("text/html")


def test_of_several_taggers_one_is_the_default(serve: Serve, tmp_path: object) -> None:
    from pathlib import Path

    models = Path(str(tmp_path)) / "models"
    write_bundle(models, name="b-tagger")
    write_bundle(models, name="a-tagger")
    assert serve().tag(text="x")["model"]["name"] == "a-tagger"
    served = serve(default_tagger="b-tagger")
    assert served.tag(text="x")["model"]["name"] == "b-tagger"
    assert served.tag(text="x", model="a-tagger")["model"]["name"] == "a-tagger"
    assert [m["default"] for m in served.client.get("/models").json()["models"]] == [False, True]
