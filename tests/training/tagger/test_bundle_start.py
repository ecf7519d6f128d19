from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from service.text.pipeline import Vocabulary
from tests.training.tiny_tagger import NUM_CHARACTERS, random_ids, tagger
from training.export import save_graph
from training.tagger.bundle_start import extended, grow, renew_entity_head, state_of_graph
from training.tagger.export import build_graph


@pytest.mark.parametrize("sizes", [{}, {"projection_size": 5}, {"projection_size": 5, "num_layers": 2}])
def test_the_weights_of_a_graph_are_those_of_the_network(tmp_path, sizes):
    network = tagger(**sizes).eval()
    save_graph(build_graph(network, num_characters=NUM_CHARACTERS, half=True), tmp_path / "model.onnx")
    other = tagger(seed=2, **sizes).eval()
    other.load_state_dict(state_of_graph(tmp_path / "model.onnx"))
    ids, lengths = random_ids(3, 5)
    for name, logits in network(ids, lengths).items():
        torch.testing.assert_close(other(ids, lengths)[name], logits, rtol=0, atol=2e-3)


def test_a_graph_of_another_network_is_refused(tmp_path):
    network = tagger()
    path = tmp_path / "model.onnx"
    save_graph(build_graph(network, num_characters=NUM_CHARACTERS, half=True), path)
    model = onnx.load(path)
    del model.graph.initializer[-1]
    onnx.save(model, path)
    with pytest.raises(ValueError, match="15 weights, which no tagger has"):
        state_of_graph(path)


def test_a_new_label_begins_as_what_it_was_part_of_but_rarer():
    old, new = ["O", "S-DATE", "S-MONEY"], ["O", "S-DATE", "S-TIME", "S-MONEY", "S-PERCENT"]
    state = {"heads.entity.weight": torch.eye(3), "heads.entity.bias": torch.tensor([1.0, 2.0, 3.0])}
    renewed = renew_entity_head(state, old, new)
    assert renewed["heads.entity.bias"].tolist() == [1, 2, 0, 3, 1]
    assert torch.equal(renewed["heads.entity.weight"], torch.eye(3)[[0, 1, 1, 2, 2]])


def test_new_words_get_mapped_vectors_and_old_ones_keep_theirs():
    old = Vocabulary.of([f"w{i}" for i in range(200)])
    new = extended(old, ["w1", "fresh", "strange"])
    assert new.tokens[-2:] == ("fresh", "strange")
    rng = np.random.default_rng(0)
    vectors = {token: rng.normal(size=4).astype(np.float32) for token in (*old.tokens[3:], "fresh")}
    mapping = rng.normal(size=(4, 6)).astype(np.float32)
    table = torch.tensor(
        np.stack([np.zeros(6)] * 3 + [vectors[t] @ mapping for t in old.tokens[3:]]), dtype=torch.float32
    )
    grown = grow(table, old, new, vectors)
    assert torch.equal(grown[: len(old)], table)
    np.testing.assert_allclose(grown[new.encode("fresh")], vectors["fresh"] @ mapping, atol=0.5)
    torch.testing.assert_close(grown[new.encode("strange")], table[3:].mean(0))
