"""Start a classifier from a published bundle: its word vectors and its encoder, for other labels.

A bundle's fp32 graph holds the network, rounded for storage. A new vocabulary keeps the words of the bundle that the
new texts lack, so that words which are met in use only are known too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from service.bundle import VOCABULARIES, load_bundle
from service.text.pipeline import normalize
from service.text.tokenizer import words_of
from service.text.vocabulary import UNK_ID, Vocabulary, load_vocabularies
from training.networks.classifier import Classifier, ClassifierConfig
from training.onnx_graph import lstm_layer_state

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassifierStart:
    """The vocabulary and the weights of a published classifier, without its head."""

    name: str  # "en-sentiment 2.0.0"
    licence: str
    vocabulary: Vocabulary
    state: State

    @classmethod
    def open(cls, folder: Path) -> ClassifierStart:
        """Read a bundle. Raises BundleError, and ValueError if its network is another than a bidirectional LSTM."""
        bundle = load_bundle(folder)
        return cls(
            name=f"{bundle.manifest.name} {bundle.manifest.version}",
            licence=bundle.manifest.licence,
            vocabulary=load_vocabularies(bundle.path(VOCABULARIES))["words"],
            state=state_of_graph(bundle.graph("fp32")),
        )

    def sizes(self, config: ClassifierConfig) -> ClassifierConfig:
        """The configuration with the sizes that these weights have."""
        hidden_size = self.state["encoder.forwards.0.weight_hh_l0"].shape[1]
        num_layers = sum(name.endswith("weight_hh_l0") for name in self.state) // 2
        word_size = self.state["words.weight"].shape[1]
        return replace(config, word_size=word_size, hidden_size=hidden_size, num_layers=num_layers)

    def extended(self, own: Vocabulary, texts: Iterable[str] | None = None) -> Vocabulary:
        """The words of one's own vocabulary, followed by those of the bundle that it lacks; only those of ``texts`` if
        they are given."""
        more = self.vocabulary.tokens[3:]
        if texts is not None:
            wanted = {normalize(word) for text in texts for word in words_of(text)}
            more = tuple(word for word in more if word in wanted)
        return Vocabulary.of([*own.tokens[3:], *(word for word in more if word not in own.ids)])

    def widen(self, network: Classifier, vocabulary: Vocabulary, wider: Vocabulary) -> None:
        """Add the bundle's vectors of the words that ``wider`` has behind those of ``vocabulary``, in place."""
        rows = self.state["words.weight"][[self.vocabulary.encode(token) for token in wider.tokens[len(vocabulary) :]]]
        table = torch.cat([network.words.weight.detach(), rows])
        network.words = nn.Embedding.from_pretrained(table, padding_idx=0)

    def load_into(self, network: Classifier, vocabulary: Vocabulary) -> None:
        """Copy word vectors and encoder into a network, in place. Words that the bundle lacks keep their vectors."""
        known = [token for token in vocabulary.tokens[3:] if token in self.vocabulary.ids]
        table = self.state["words.weight"]
        with torch.no_grad():
            network.words.weight[[vocabulary.encode(token) for token in known]] = table[
                [self.vocabulary.encode(token) for token in known]
            ]
            network.words.weight[UNK_ID] = table[UNK_ID]
        encoder = {name: value for name, value in self.state.items() if name != "words.weight"}
        network.load_state_dict(encoder, strict=False)


def state_of_graph(path: Path) -> State:
    """The word table and the encoder of a classifier of bidirectional LSTM layers, from its fp32 graph.

    Reads the weights in the order in which :func:`training.classifier.export.build_graph` stores them. Raises
    ValueError if there are others.
    """
    arrays = [numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer]
    tables = [array for array in arrays if array.dtype == np.int8]
    scales = [array for array in arrays if array.dtype == np.float32 and array.ndim == 2 and array.shape[1] == 1]
    layers = [torch.from_numpy(array.astype(np.float32)) for array in arrays if array.dtype == np.float16]
    num_layers = sum(value.ndim == 3 for value in layers) // 2
    if len(tables) != 1 or len(scales) != 1 or num_layers < 1 or layers[0].shape[0] != 2 or layers[0].shape[1] % 4:
        raise ValueError(f"{path}: not the weights of a bidirectional LSTM over one table of words")
    state = {"words.weight": torch.from_numpy(tables[0] * scales[0])}
    weights: Iterator[Tensor] = iter(layers)
    for layer in range(num_layers):
        state |= lstm_layer_state(layer, next(weights), next(weights), next(weights))
    return state
