"""The commands that ask models, in this process: formats, sources of texts, and what is wrong."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ribbon.console.output import Style
from ribbon.console.texts import MAX_LINE_BYTES
from service.bundle import EXAMPLES, write_manifest
from tests.fakes import (
    CLASSIFIER,
    NAME,
    TRANSLATOR,
    multi_label_graph,
    translator_manifest,
    write_multi_label,
    write_translator,
)
from tests.ribbon.conftest import Invoke, Serve
from tests.server import start

SENTENCE = "Alice plays with Hong Kong.\n"


def lines_of(output: str) -> list[Any]:
    return [json.loads(line) for line in output.splitlines()]


def test_tag_prints_a_table(invoke: Invoke) -> None:
    result = invoke("tag", stdin=SENTENCE)
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["TOKEN", "UPOS", "XPOS", "ENTITY"],
        ["Alice", "NOUN", "NN", "S-PER"],
        ["plays", "VERB", "VBZ"],
        ["with", "ADP", "IN"],
        ["Hong", "NOUN", "NN", "B-LOC"],
        ["Kong", "NOUN", "NN", "E-LOC"],
        [".", "X", "FW"],
        [],
    ]


def test_json_lines_are_the_items_of_the_api(invoke: Invoke) -> None:
    result = invoke("tag", "--jsonl", "--task", "ner", "Alice", "")
    first, second = lines_of(result.stdout)
    assert first["entities"] == [{"text": "Alice", "label": "PER", "start": 0, "end": 5, "score": 0.9}]
    assert first["sentences"][0]["tokens"] == [{"text": "Alice", "start": 0, "end": 5, "entity": "S-PER"}]
    assert second == {"sentences": [], "entities": [], "reason": "no_words"}


def test_json_is_one_array(invoke: Invoke) -> None:
    assert [each["label"] for each in json.loads(invoke("classify", "--json", "good", "bad").stdout)] == [
        "positive",
        "negative",
    ]
    assert json.loads(invoke("classify", "--json", stdin="").stdout) == []


def test_every_line_of_a_file_is_a_text(invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "texts"
    path.write_bytes(b"\xef\xbb\xbfgood\r\n\nbad")
    result = invoke("classify", "--file", str(path))
    assert [line.split(maxsplit=2) for line in result.stdout.splitlines()] == [
        ["LABEL", "SCORE", "TEXT"],
        ["positive", "0.7311", "good"],
        ["-", "-", "(no_words: holds no word)"],
        ["negative", "0.7311", "bad"],
    ]
    assert invoke("classify", "--file", "-", stdin="good\n").stdout == invoke("classify", "good").stdout


def test_many_lines_stay_in_order(invoke: Invoke) -> None:
    words = ["good", "bad", "exciting", "boring"] * 100
    result = invoke("classify", "--jsonl", stdin="".join(f"{word}\n" for word in words))
    labels = {"good": "positive", "exciting": "positive", "bad": "negative", "boring": "negative"}
    assert [each["label"] for each in lines_of(result.stdout)] == [labels[word] for word in words]


def test_labels_of_a_multi_label_model_are_shown_together(invoke: Invoke, tmp_path: Path) -> None:
    write_multi_label(tmp_path / "several", graph=multi_label_graph())
    result = invoke("classify", "exciting exciting", models=tmp_path / "several")
    assert "positive, strong" in result.stdout or "strong, positive" in result.stdout


def test_generate_prints_prompt_and_continuation(invoke: Invoke) -> None:
    result = invoke("generate", "--temperature", "0", "--max-tokens", "4", "The")
    assert result.stdout == "The report is ready now\n"
    samples = lines_of(invoke("generate", "--samples", "2", "--seed", "1", "--stop", ".", "--jsonl", "The").stdout)
    assert len(samples[0]["samples"]) == 2


def test_score_prints_texts_and_choices(invoke: Invoke) -> None:
    head, row, empty = invoke("score", "The report", "").stdout.splitlines()
    assert head.split() == ["PERPLEXITY", "LOGPROB", "TOKENS", "TEXT"]
    assert row.split()[2:] == ["2", "The", "report"]
    assert "no_words" in empty
    head, best, other = invoke("score", "--choice", "e", "--choice", "report", "The ___").stdout.splitlines()
    assert head.split() == ["PROBABILITY", "LOGPROB", "CHOICE"]
    assert (best.split()[2], other.split()[2]) == ("report", "e")


def test_a_running_service_is_asked_with_url(invoke: Invoke, url: str, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    result = invoke("tag", "--url", url, SENTENCE, models=nowhere)
    assert result.stdout == invoke("tag", stdin=SENTENCE).stdout
    translated = invoke("translate", "--url", url, "--target", "es", "--alternatives", "2", "Me too.", models=nowhere)
    assert translated.exit_code == 0, translated.output
    first, second = translated.stdout.splitlines()
    assert second.startswith("  ")
    assert first != second.strip()


def test_a_text_without_a_translation_is_an_empty_line_and_said(invoke: Invoke, tmp_path: Path) -> None:
    """The network reads one piece, and every letter is two."""
    models = tmp_path / "short"
    folder = write_translator(models)
    examples = [{"text": "1984", "target": "es", "translation": "1984", "score": 0.0}]
    (folder / EXAMPLES).write_text(json.dumps(examples), encoding="utf-8")
    write_manifest(folder, translator_manifest(TRANSLATOR) | {"limits": {"max_tokens": 3, "max_target_tokens": 9}})
    with ExitStack() as stack:
        running = start(stack, models).ready()
        result = invoke("translate", "--url", running.url, "-t", "es", stdin="5\nab\n6\n")
    assert result.exit_code == 0
    assert result.stdout == "5\n\n6\n"
    assert "no translation of 'ab' (input_too_long: " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "exit_code", "message"),
    [
        (["tag", "--file", "/no/such/file"], "", 2, "No such file"),
        (["tag", "--file", "-", "text"], "", 2, "not both"),
        (["tag", "--task", "all"], "", 2, "'pos', 'ner'"),
        (["tag", "--nope"], "", 2, "No such option"),
        (["nope"], "", 2, "No such command"),
        (["translate", "text"], "", 2, "--target"),
        (["tag", "a\udcff"], "", 2, "text 1 is not UTF-8"),
        (["tag"], b"a\nb\xff\n", 2, "line 2 is not UTF-8: invalid start byte at byte 1"),
        (["tag"], b"a" * (MAX_LINE_BYTES + 1), 2, f"line 1 has more than {MAX_LINE_BYTES} bytes"),
        (["tag", "--model", "nope", "text"], "", 1, f"no model named 'nope'; known: {CLASSIFIER}, {NAME}"),
        (["translate", "-t", "es", "text"], "", 1, "no model answers /translate"),
        (["classify", "-m", NAME, "text"], "", 1, "/classify"),
        (["tag"], b"a\n" * 70 + b"a\0b\n", 1, "line 71: holds a NUL at position 1"),
        (["tag", "a" * 50_001], "", 1, "text 1: has 50001 characters, the limit is 50000"),
        (["tag", "--url", "localhost:8000", "text"], "", 1, "localhost:8000: not an address such as http://"),
        (["tag", "--url", "http://a:b", "text"], "", 1, "http://a:b: not an address (Invalid port"),
        (["tag", "--url", "http://127.0.0.1:9", "--api-key", "é", "text"], "", 1, "a key is plain ASCII"),
        (["models", "pull", "--models", "/dev/null/x", "nothing"], "", 1, "/dev/null/x: Not a directory"),
        (["models", "pull", "/no/such/archive"], "", 1, "/no/such/archive: No such file"),
        (["tag", "--url", "http://127.0.0.1:9", "text"], "", 1, "http://127.0.0.1:9/models: no answer"),
    ],
)
def test_what_is_wrong_is_said(
    invoke: Invoke, arguments: list[str], stdin: str | bytes, exit_code: int, message: str
) -> None:
    result = invoke(*arguments, stdin=stdin)
    assert message in result.stderr
    assert result.exit_code == exit_code, result.output
    assert "Traceback" not in result.output


def test_a_deadline_ends_the_command(invoke: Invoke, serve: Serve) -> None:
    running = serve()
    running.session.gate.clear()
    try:
        result = invoke("tag", "--url", running.url, "--deadline", "0.3", "text")
    finally:
        running.session.gate.set()
    assert result.exit_code == 1
    assert "(504 deadline_exceeded)" in result.stderr


def test_a_folder_without_models_says_how_to_name_another(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("tag", "text", models=tmp_path / "empty")
    assert result.exit_code == 1
    assert "--models or RIBBON_MODELS_DIR" in result.stderr


def test_every_command_has_a_help_with_examples(invoke: Invoke) -> None:
    listed = invoke("--help").stdout
    for name in ("tag", "classify", "translate", "generate", "score", "serve", "models", "bench"):
        assert f"  {name} " in listed
        help_text = invoke(name, "-h").stdout
        assert f"  ribbon {name}" in help_text.partition("Examples:")[2]


def test_texts_are_cut_on_a_terminal_alone() -> None:
    plain, narrow = Style(has_colours=False, width=None), Style(has_colours=True, width=20)
    assert plain.cut("a  long\ntext", used=10) == "a  long\ntext"
    assert narrow.cut("a  long\ntext of words", used=8) == "a long tex…"
    assert plain.label("PER") == "PER"
    assert narrow.label("PER") == narrow.label("PER", name="PER")
    assert "\x1b[" in narrow.label("PER")


def test_bench_measures_and_counts_refusals(invoke: Invoke, url: str) -> None:
    options = ["--url", url, "--seconds", "0.3", "--warm-up", "0", "--concurrency", "2"]
    result = invoke("bench", "classify", *options, "good", "bad")
    assert result.exit_code == 0, result.output
    rate, latencies = result.stdout.splitlines()
    assert float(rate.split()[0]) > 0
    p50, p90, p99 = (float(part.split()[1]) for part in latencies.split(", "))
    assert 0 < p50 <= p90 <= p99


def test_bench_ends_with_what_is_wrong(invoke: Invoke, url: str) -> None:
    result = invoke("bench", "tag", "--url", url, "--model", "nope", "text")
    assert result.exit_code == 1
    assert "unknown_model" in result.stderr
