"""Tagged sentences of one's own in every form, and what is wrong with them in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from service.text.spans import spans_of
from training.own_data.errors import DataError
from training.own_data.tagged import TaggedData, TaggedOptions, read_tagged, read_tagged_splits

SENTENCES = [([f"Kim{i}", "left", "Hong", "Kong", "."], ["B-PER", "O", "B-LOC", "I-LOC", "O"]) for i in range(40)]


def columns(sentences=SENTENCES, *, line="{word}\t{tag}\n") -> str:
    blocks = ("".join(line.format(word=w, tag=t) for w, t in zip(*s, strict=True)) for s in sentences)
    return "\n".join(blocks)


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def spans(path: Path, **options) -> list[list[tuple[str, int, int]]]:
    sentences, _ = read_tagged(path, TaggedOptions(**options))
    return [[tuple(span) for span in spans_of(sentence.tags["ner"])] for sentence in sentences]


def splits(path: Path, *, dev=None, test=None, seed: int = 1, **options) -> TaggedData:
    return read_tagged_splits(path, dev, test, TaggedOptions(**options), seed)


def refusal(path: Path, **options) -> str:
    with pytest.raises(DataError) as raised:
        splits(path, **options)
    return str(raised.value)


@pytest.mark.parametrize(
    "line",
    ["{word}\t{tag}\n", "{word} {tag}\n", "1\t{word}\tNNP\t{tag}\n", "{word}\t{tag}\t-\tannotator\n"],
)
def test_word_and_tag_are_found_in_any_column(tmp_path, line):
    path = written(tmp_path, "a.conll", f"# sent_id = 1 of many more\n{columns(SENTENCES[:2], line=line)}")
    assert spans(path) == [[("PER", 0, 1), ("LOC", 2, 4)]] * 2


def test_schemes_of_tags_are_read_alike(tmp_path):
    bilou = [(words, ["U-PER", "O", "B-LOC", "L-LOC", "O"]) for words, _ in SENTENCES[:1]]
    assert spans(written(tmp_path, "a.iob2", columns(bilou))) == [[("PER", 0, 1), ("LOC", 2, 4)]]


def test_a_column_is_named_by_number(tmp_path):
    path = written(tmp_path, "a.tsv", columns(SENTENCES[:1], line="{word}\t{tag}\tO\n"))
    assert spans(path) == [[("PER", 0, 1), ("LOC", 2, 4)]]
    other = written(tmp_path, "b.tsv", columns(SENTENCES[:1], line="{word}\t{tag}\tB-X\n"))
    assert spans(other, tag_column=2) == [[("PER", 0, 1), ("LOC", 2, 4)]]
    with pytest.raises(DataError, match="has 3 columns and no column 7"):
        read_tagged(other, TaggedOptions(tag_column=7))


def test_words_are_cut_as_the_service_cuts_them(tmp_path):
    path = written(tmp_path, "a.iob2", "Kim's\tB-PER\nleft.\tO\n")
    (sentence,), _ = read_tagged(path, TaggedOptions())
    assert list(sentence.words) == ["Kim", "'s", "left", "."]
    assert [tuple(span) for span in spans_of(sentence.tags["ner"])] == [("PER", 0, 2)]


def test_a_line_with_another_number_of_columns_is_named(tmp_path):
    content = columns().replace("left\tO\n", "left\n", 1)
    assert "a.iob2, line 2: not 2 columns as on the other lines" in refusal(written(tmp_path, "a.iob2", content))


def test_files_without_entities_are_refused(tmp_path):
    nothing = [(words, ["O"] * 5) for words, _ in SENTENCES]
    assert "no column of BIO tags" in refusal(written(tmp_path, "a.iob2", columns(nothing)))
    assert "one column only" in refusal(written(tmp_path, "b.iob2", columns(line="{word}\n")))


def test_conllu_gives_parts_of_speech(tmp_path):
    kim = "1\tKim\t_\tPROPN\tNNP\t_\t0\t_\t_\t_\n"
    left = "2\tleft\t_\tVERB\tVBD\t_\t0\t_\t_\t_\n"
    range_of_both = "1-2\tKimleft" + 8 * "\t_" + "\n"
    path = written(tmp_path, "a.conllu", "\n".join([f"# text = Kimleft\n{range_of_both}{kim}{left}"] * 3))
    sentences, _ = read_tagged(path, TaggedOptions())
    assert len(sentences) == 3
    assert sentences[0].tags["upos"] == ["PROPN", "VERB"]
    assert sentences[0].tags["xpos"] == ["NNP", "VBD"]
    broken = written(tmp_path, "b.conllu", "1\tKim\t_\tPROPN\n")
    with pytest.raises(DataError, match=r"b.conllu, line 1: 4 columns; CoNLL-U has 10"):
        read_tagged(broken, TaggedOptions())


def line(text: str, *found: object, key: str = "spans") -> str:
    return json.dumps({"text": text, key: list(found)}) + "\n"


def test_spans_by_offsets_in_the_forms_of_doccano_and_prodigy(tmp_path):
    content = line("Kim left Hong Kong. We know.", [0, 3, "PER"], [9, 18, "LOC"])
    content += line("Kim left.", {"start": 0, "end": 3, "label": "PER"}, key="entities")
    content += line("Nobody left.", key="label")
    assert spans(written(tmp_path, "a.jsonl", content)) == [
        [("PER", 0, 1), ("LOC", 2, 4)],
        [],
        [("PER", 0, 1)],
        [],
    ]


def test_a_span_within_a_word_grows_and_is_told(tmp_path):
    path = written(tmp_path, "a.jsonl", line("Kimberley left.", [0, 3, "PER"]))
    sentences, notes = read_tagged(path, TaggedOptions())
    assert [tuple(span) for span in spans_of(sentences[0].tags["ner"])] == [("PER", 0, 1)]
    assert notes == ["a.jsonl, line 1: an entity begins or ends within a word; the whole word counts."]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"text": "a"', "line 2: no JSON object"),
        ('{"body": "a", "spans": []}', 'line 2: no "text"'),
        ('{"text": "a"}', 'line 2: no "spans"'),
        ('{"text": "Kim", "spans": [[0, 3]]}', r"line 2: \[0, 3\] is no \[start, end, label\]"),
        ('{"text": "Kim", "spans": [[0, 9, "PER"]]}', r'line 2: \[0, 9, "PER"\] is not within the text'),
        ('{"text": "Kim Lee", "spans": [[0, 3, "PER"], [0, 7, "PER"]]}', "line 2: two entities overlap"),
    ],
)
def test_a_bad_line_of_spans_is_named(tmp_path, bad, reason):
    path = written(tmp_path, "a.jsonl", line("Kim left.", [0, 3, "PER"]) + bad + "\n")
    with pytest.raises(DataError, match=reason):
        read_tagged(path, TaggedOptions())


def test_empty_texts_are_left_out_with_their_lines(tmp_path):
    path = written(tmp_path, "a.jsonl", line("Kim left.", [0, 3, "PER"]) + line(" "))
    sentences, notes = read_tagged(path, TaggedOptions())
    assert len(sentences) == 1
    assert notes == ["a.jsonl, line 2: 1 empty text left out."]


def test_a_split_keeps_copies_together_and_knows_the_labels(tmp_path):
    data = splits(written(tmp_path, "a.iob2", columns(SENTENCES + SENTENCES)))
    assert data.labels == ("LOC", "PER")
    assert data.layers == ("ner",)
    train, dev, test = ({tuple(s.words) for s in part} for part in (data.train, data.dev, data.test))
    assert (len(train), len(dev), len(test)) == (28, 6, 6)
    assert not train & dev
    assert not train & test
    assert not dev & test


def test_sentences_of_the_test_file_are_not_learned_from(tmp_path):
    test = written(tmp_path, "test.iob2", columns(SENTENCES[:4]))
    data = splits(written(tmp_path, "a.iob2", columns()), test=test)
    assert len(data.train) + len(data.dev) == 36
    assert any("4 sentences also in the dev or test file" in note for note in data.notes)


def test_few_sentences_and_rare_labels_are_refused(tmp_path):
    assert "has 5 sentences; 20 are the fewest" in refusal(written(tmp_path, "a.iob2", columns(SENTENCES[:5])))
    path = written(tmp_path, "b.iob2", columns([*SENTENCES, (["Acme"], ["B-ORG"])]))
    assert "5 entities at least, but 'ORG' has 1" in refusal(path)
    data = splits(path, drop_rare_labels=True)
    assert data.labels == ("LOC", "PER")
    assert "Learned as no entity, because rare: 'ORG'." in data.notes


def test_more_labels_than_a_target_holds_are_refused(tmp_path):
    many = [([f"name{i}", "left"], [f"B-L{i % 16}", "O"]) for i in range(160)]
    assert "16 labels of entities; a tagger learns 15 at most" in refusal(written(tmp_path, "a.iob2", columns(many)))


def test_the_test_file_needs_the_same_layers(tmp_path):
    test = written(tmp_path, "test.conllu", "1\tKim\t_\tPROPN\tNNP\t_\t0\t_\t_\t_\n")
    assert "lacks the tags ner" in refusal(written(tmp_path, "a.iob2", columns()), test=test)


def test_an_unknown_form_is_refused(tmp_path):
    assert "what form is this" in refusal(written(tmp_path, "a.xml", "<s/>"))
