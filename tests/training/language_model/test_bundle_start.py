"""The int8 graph of a published language model becomes the weights of a network again."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from bench.generation_loops import eager_loop
from service.decoding.search import LanguageState, Prompt, SamplingOptions
from service.text.subwords import EOS_ID
from training.export import GRAPHS
from training.language_model.bundle_start import network_of_bundle
from training.language_model.export import make_final, write_language_model
from training.networks.language_model import LanguageModel, LanguageModelConfig

RELATIVE_ERROR = 0.02  # of logits by int8 weights
SIZE = 60  # of the vocabulary


def exported(folder, **choices) -> LanguageModel:
    torch.manual_seed(1)
    config = LanguageModelConfig(embedding_size=16, hidden_size=24, dropout=0.0, **choices)
    network = LanguageModel(vocabulary_size=SIZE, config=config)
    with torch.no_grad():  # a norm as training leaves it, not as it begins
        network.input_norm.weight.uniform_(0.5, 1.5)
        network.input_norm.bias.normal_(std=0.1)
    network.eval()
    make_final(network)
    write_language_model(network, folder, ("int8",))
    return network


@pytest.mark.parametrize("choices", [{}, {"num_layers": 2}, {"cell": "gru"}], ids=["lstm", "two layers", "gru"])
def test_a_network_from_a_bundle_gives_the_logits_of_the_one_that_was_published(tmp_path, choices):
    network, restored = exported(tmp_path, **choices), network_of_bundle(tmp_path)
    assert restored.config == network.config
    ids = torch.arange(4, SIZE).view(4, -1)
    with torch.inference_mode():
        wanted, found = network(ids)[0], restored(ids)[0]
    assert float((found - wanted).norm() / wanted.norm()) < RELATIVE_ERROR


def test_another_graph_is_refused(tmp_path):
    exported(tmp_path)
    path = tmp_path / GRAPHS["int8"]
    model = onnx.load(path)
    del model.graph.initializer[-1]
    onnx.save(model, path)
    with pytest.raises(ValueError, match="no language model"):
        network_of_bundle(tmp_path)


def test_a_loop_in_eager_mode_writes_with_the_network_of_a_bundle(tmp_path):
    network = exported(tmp_path)
    options = SamplingOptions(max_tokens=5)
    nothing = LanguageState(vector=np.zeros(48, np.float32), recent=np.array([EOS_ID], np.int32))
    rows = [np.array(ids, np.int32) for ids in ([EOS_ID, 7], [EOS_ID, 8, 9, 30], [EOS_ID, 50, 20])]
    prompts = [Prompt(before=nothing, ids=ids, seed=1, options=options) for ids in rows]
    together, alone = (eager_loop(SimpleNamespace(folder=tmp_path), number, 0.0)(prompts) for number in (3, 1))
    assert together == alone
    with torch.inference_mode():
        for prompt, written in zip(prompts, together, strict=True):
            ids = torch.tensor([[*prompt.ids, *written]])
            likeliest = network(ids)[0][0].argmax(-1)[len(prompt.ids) - 1 : -1]
            assert likeliest.tolist() == list(written)
