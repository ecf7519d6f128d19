from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import msgspec
import pytest

pytest.importorskip("torch")

from service.api.schemas import TagRequest
from training.tagger import outside_text
from training.tagger.outside_text import (
    FOLDER,
    errors,
    from_spacy,
    measure,
    parse_line,
    read_annotated,
    spans_of_service,
    table,
)


def test_marked_spans_become_offsets():
    assert parse_line("[Ann Lee](PER) paid [$5](MONEY).") == ("Ann Lee paid $5.", [("PER", 0, 7), ("MONEY", 13, 15)])
    with pytest.raises(ValueError, match="unknown label NAME"):
        parse_line("[Ann](NAME)")


def test_the_sets_are_as_large_as_they_are_said_to_be():
    business, numbers = (read_annotated(FOLDER / name) for name in ("business_and_news.txt", "numbers.txt"))
    assert (len(business), len(numbers)) == (120, 100)
    assert len({text for text, _ in [*business, *numbers]}) == 220
    assert not any(spans for _, spans in numbers)
    assert {label for _, spans in business for label, _, _ in spans} == set(outside_text.LABELS)


def write_sets(folder):
    (folder / "business_and_news.txt").write_text("# x\n[Ann](PER) sings\n\nin [May](DATE)\n", encoding="utf-8")
    (folder / "numbers.txt").write_text("room 12\nroom 13\n", encoding="utf-8")


def test_figures_count_exact_spans_and_sentences_with_a_false_date(tmp_path):
    write_sets(tmp_path)

    def answer(texts):
        known = {"Ann sings": [("PER", 0, 3)], "in May": [("DATE", 0, 6)], "room 12": [("DATE", 5, 7), ("TIME", 0, 4)]}
        return [known.get(text, [("MONEY", 0, 1)]) for text in texts]

    scores, counts = measure(answer, tmp_path)
    assert scores["micro"].f1 == 0.5
    assert scores["PER"].f1 == 1.0
    assert list(counts.values()) == [1, 2]
    head, _, row = table({"x": answer}, tmp_path)
    assert head.count("|") == row.count("|")
    assert "| x | 50.0 (50.0 / 50.0) | 100.0 |" in row
    assert errors(answer, tmp_path)[0] == "in May\n    missed: May DATE\n    wrong:  in May DATE"


def test_spacy_s_labels_and_conventions_are_made_ours():
    text = "The UN paid about $ 5 to the French on 3 May"
    spans = [("ORG", 0, 6), ("MONEY", 12, 21), ("NORP", 25, 35), ("CARDINAL", 39, 40), ("DATE", 39, 44)]
    assert from_spacy(text, spans) == [("ORG", 4, 6), ("MONEY", 18, 21), ("MISC", 29, 35), ("DATE", 39, 44)]
    assert from_spacy("A$20", [("MONEY", 2, 4)]) == [("MONEY", 0, 4)]


def test_a_running_service_is_asked_by_the_fields_of_its_api():
    """The request is read by the service's own schema."""

    class Tag(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            texts = msgspec.json.decode(body, type=TagRequest).text
            entity = {"text": "Ann", "label": "PER", "start": 0, "end": 3, "score": 0.9}
            answer = json.dumps({"results": [{"sentences": [], "entities": [entity]} for _ in texts]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Tag) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            assert spans_of_service(url, ["Ann sings", "Ann"]) == [[("PER", 0, 3)]] * 2
        finally:
            server.shutdown()
            thread.join()
