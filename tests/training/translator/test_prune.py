"""A translator without the subwords that its text does not use cuts, scores and answers as before."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

import msgspec
import numpy as np

from service.bundle import CARD, EXAMPLES, SUBWORDS, load_bundle, read_bundle, write_manifest
from service.predictors.translation import LanguagePair, TranslateOptions
from service.predictors.translator import TranslateExample
from service.text.subwords import BOS_ID, EOS_ID, UNK_ID, Subwords
from tests.training.corpora.made_up_pairs import SENTENCES, german
from tests.training.tiny_translator import translator
from training.card import Terms
from training.export import round_weights, save_graph
from training.loop import FitConfig
from training.matmul_variants import ByteProducts
from training.onnx_graph import GraphBuilder, quantize_groups
from training.translator.bundle_start import state_of_bundle
from training.translator.config import TranslatorRun
from training.translator.evaluate import open_translator
from training.translator.export import ENCODERS, TranslatorSessions, run_step, write_translator
from training.translator.graphs import SHORTLIST, encoder_graph
from training.translator.prune import pruned_graph, with_byte_matrices, write_pruned
from training.translator.publish import DEFAULT, Facts, write_answering
from training.translator.shortlist import learn_shortlist
from training.translator.subword_pruning import count_pieces, used_pieces, with_pieces
from training.translator.subwords import learn_subwords, tag_of

GERMAN = [german(sentence) for sentence in SENTENCES]
FRENCH = [f"voilà qu'on déménage, {sentence[::-1].lower()}" for sentence in SENTENCES]  # of no pair of the tests
LISTED = 48
MODEL = learn_subwords([*SENTENCES, *GERMAN, *FRENCH], size=600, languages=("de", "fr"))
WHOLE = Subwords.load(MODEL)
SIZE = len(WHOLE)
CARD_TEXT = f"""# en-de 1.0.0

{SIZE} subwords of 16 numbers (sentencepiece) in one table. 0.2 M
weights.

```
python -m training.translator.train training/configs/en-de.toml --bundle models/en-de
```

| file | MB |
| --- | --- |
| `encoder.int8.onnx` | 9.99 |
| `model.int8.onnx` | 9.99 |
| `subwords.model` | 9.99 |
| `weights.bin` | 9.99 |
"""


@pytest.fixture(scope="module")
def kept():
    return used_pieces(MODEL, count_pieces([*SENTENCES, *GERMAN], WHOLE), fewest=1)


@pytest.fixture(scope="module")
def smaller(kept) -> Subwords:
    return Subwords.load(with_pieces(MODEL, kept))


@pytest.fixture(scope="module")
def shortlist():
    rows = [(WHOLE.encode(one), WHOLE.encode(other)) for one, other in zip(SENTENCES, GERMAN, strict=True)]
    return learn_shortlist({WHOLE.tag(tag_of("de")): rows}, SIZE, size=LISTED, num_frequent=20)


@pytest.fixture(scope="module")
def network():
    network = translator(vocabulary=SIZE)
    round_weights(network)
    return network


def test_texts_of_the_pair_are_cut_into_the_same_pieces(smaller):
    assert len(smaller) < SIZE
    for text in [*SENTENCES, *GERMAN]:
        assert smaller.pieces(smaller.encode(text)) == WHOLE.pieces(WHOLE.encode(text))


def test_other_text_is_still_spelled(smaller):
    assert smaller.alphabet == WHOLE.alphabet
    for text in [*FRENCH, "Łódź 犬 <2fr> 100 %"]:
        ids = smaller.encode(text)
        assert UNK_ID not in ids
        assert smaller.decode(ids) == WHOLE.decode(WHOLE.encode(text))


def test_tags_and_symbols_stay(smaller):
    assert len(smaller.symbol_ids) == len(WHOLE.symbol_ids)
    assert {smaller.pieces([smaller.tag(tag_of(each))])[0] for each in ("de", "fr")} == {"<2de>", "<2fr>"}


def test_pieces_that_are_seldom_used_are_left_out_at_a_higher_bound(kept):
    counts = count_pieces([*SENTENCES, *GERMAN], WHOLE)
    fewer = used_pieces(MODEL, counts, fewest=20)
    assert {*fewer.tolist()} < {*kept.tolist()}
    assert used_pieces(MODEL, counts, fewest=0).tolist() == list(range(SIZE))


def test_scores_and_states_are_the_same_to_the_last_bit(tmp_path, kept, smaller, network, shortlist):
    write_translator(network, tmp_path / "whole", ("int8",), shortlist)
    (tmp_path / "pruned").mkdir()
    for path in (tmp_path / "whole").glob("*.onnx"):
        save_graph(pruned_graph(onnx.load(path), kept, SIZE), tmp_path / "pruned" / path.name)
    whole, pruned = (TranslatorSessions.open(tmp_path / name, "int8") for name in ("whole", "pruned"))
    new_ids = {old: new for new, old in enumerate(kept.tolist())}
    for text in SENTENCES[:5]:
        ids = [WHOLE.tag(tag_of("de")), *WHOLE.encode(text), EOS_ID]
        found = [
            walked(sessions, np.array([row], np.int32))
            for sessions, row in ((whole, ids), (pruned, [new_ids[each] for each in ids]))
        ]
        listed, step = zip(*found, strict=True)
        assert sorted(new_ids[each] for each in listed[0]) == sorted(listed[1])
        assert step[1]["candidates"].ravel().tolist() == [new_ids[each] for each in step[0]["candidates"].ravel()]
        for output in ("next_state", "scores", "attention"):
            assert np.array_equal(step[0][output], step[1][output])


def walked(sessions, ids):
    """The shortlist of a source, and the first step."""
    lengths = np.array([ids.shape[1]], np.int32)
    encoded = dict(sessions.encoder.run({"ids": ids, "lengths": lengths}))
    first = dict(tokens=np.array([BOS_ID], np.int32), state=encoded["state"], sources=np.zeros(1, np.int32))
    return encoded[SHORTLIST][0].tolist(), run_step(sessions.step, encoded, lengths, **first)


@pytest.mark.parametrize(("shape", "groups"), [((6, 64), 2), ((2, 6, 96), 3), ((6, 20), 1)])
def test_a_matrix_has_a_scale_for_each_group_of_a_row(shape, groups):
    matrix = torch.randn(shape)
    values, scales = quantize_groups(matrix)
    assert scales.shape == (*shape[:-1], groups, 1)
    assert (values * scales.float()).reshape(shape).numpy() == pytest.approx(matrix.numpy(), abs=0.02)


class OldProducts(ByteProducts):
    """The products of bundles before 3.1.1."""

    EncoderBuilder = GraphBuilder


def test_matrices_in_float16_become_what_an_export_writes_today(tmp_path, network, shortlist):
    sessions = {}
    graphs = {
        "old": with_byte_matrices(encoder_graph(network, OldProducts, shortlist)),
        "new": encoder_graph(network, ByteProducts, shortlist),
    }
    for name, graph in graphs.items():
        folder = tmp_path / name
        write_translator(network, folder, ("int8",), shortlist)
        save_graph(graph, folder / ENCODERS["int8"])
        sessions[name] = TranslatorSessions.open(folder, "int8")
    ids = np.array([[4, 30, 31, 32, EOS_ID]], np.int32)
    old, new = (each.encoder.run({"ids": ids, "lengths": np.array([5], np.int32)}) for each in sessions.values())
    assert all(np.array_equal(old[name], new[name]) for name in new)
    first, second = (state_of_bundle(tmp_path / name) for name in graphs)
    assert all(torch.equal(first[name], second[name]) for name in second)


def test_a_bundle_is_written_without_them_and_answers_alike(tmp_path, kept, network, shortlist):
    config = TranslatorRun(
        name="en-de", version="1.0.0", directions=("en-de",), corpora=(), fit=FitConfig(num_epochs=1, learning_rate=1)
    )
    facts = Facts(
        terms=Terms(corpora=(), licence="CC0-1.0", commercial_use=True),
        dev=(),
        test=(),
        calibrate=lambda _: (None, {}),
        recipe=lambda _: "",
        shortlist=shortlist,
    )
    folder = tmp_path / "en-de"
    write_answering(network, WHOLE, config, folder, facts=facts, precisions=(DEFAULT,))
    (folder / CARD).write_text(CARD_TEXT)
    texts, options = SENTENCES[:5], TranslateOptions(pair=LanguagePair("en", "de"))
    examples = [
        TranslateExample(text=text, target="de", translation=found.text, score=found.score)
        for text, [found] in zip(texts, open_translator(read_bundle(folder)).translate(texts, options), strict=True)
    ]
    (folder / EXAMPLES).write_bytes(msgspec.json.encode(examples))
    write_manifest(folder, read_bundle(folder).manifest.model_dump(exclude_unset=True, exclude={"files"}))
    bundle = load_bundle(folder)
    before = [each[0] for each in open_translator(bundle).translate(texts, options)]
    write_pruned(bundle, kept, folder, version="1.0.1", command="python -m made.up --to 1.0.1")
    smaller = load_bundle(folder)
    after = [each[0] for each in open_translator(smaller).translate(texts, options)]
    assert smaller.manifest.version == "1.0.1"
    assert len(Subwords.load(smaller.path(SUBWORDS))) == len(kept)
    assert [each.text for each in after] == [each.text for each in before]
    assert [each.score for each in after] == pytest.approx([each.score for each in before], abs=1e-5)
    card = smaller.path(CARD).read_text("utf-8")
    assert card.startswith("# en-de 1.0.1\n")
    assert f"{len(kept)} subwords" in card
    assert "9.99" not in card
    assert "--bundle models/en-de\npython -m made.up --to 1.0.1\n" in card
