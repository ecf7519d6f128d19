"""GET /models, /health, /metrics and /schema."""

from __future__ import annotations

import re

from tests.application import Serve, Served
from tests.fakes import (
    CLASSIFIER,
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


def test_the_process_lives_and_is_ready_until_it_stands_still(fresh: Served) -> None:
    assert fresh.client.get("/health/live").json() == {"status": "live"}
    assert fresh.client.get("/health/ready").json() == {"status": "ready"}
    fresh.app.lifecycle.is_live = lambda: False
    response = fresh.client.get("/health/live")
    assert (response.status_code, response.json()["kind"]) == (503, "not_ready")
