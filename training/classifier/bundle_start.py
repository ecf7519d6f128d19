"""Start a classifier's training from a published bundle (:class:`ClassifierStart`).

Checkpoints of old runs need not be kept: a bundle's fp32 graph holds the network, the word table rounded to bytes and
the rest to float16. The next version of a classifier, whose configuration says ``starts_from``, gets a run folder with
these weights by

    python -m training.classifier.bundle_start CONFIG --bundle models/en-sentiment --run-dir runs/en-sentiment

and the texts that a teacher would label, labelled by the bundle (``taught.tsv``), so that new training keeps to what it
knows (self-distillation). ``more_words`` of the configuration adds words that the bundle lacks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from service.bundle import VOCABULARIES, load_bundle
from service.text.pipeline import UNK_ID, Vocabulary, dump_vocabularies, load_vocabularies, normalize
from service.text.tokenizer import words_of
from training.classifier.config import ClassifierRun
from training.classifier.corpora import held_out_texts, read_training
from training.classifier.evaluate import classify_texts, open_classifier
from training.classifier.more_words import with_more_words
from training.classifier.taught import taught_texts, write_taught
from training.command_line import run_parser
from training.config import load_config
from training.networks.classifier import Classifier, ClassifierConfig
from training.onnx_graph import recurrent_state
from training.vocabularies import vocabulary_of_texts

TAUGHT_FILE, START = "taught.tsv", "start.pt"
State = dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassifierStart:
    """The vocabulary and the weights of a published classifier."""

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
        """Copy word vectors and encoder, not the head, into a network, in place. Words that the bundle lacks keep their
        vectors."""
        known = [token for token in vocabulary.tokens[3:] if token in self.vocabulary.ids]
        table = self.state["words.weight"]
        with torch.no_grad():
            network.words.weight[[vocabulary.encode(token) for token in known]] = table[
                [self.vocabulary.encode(token) for token in known]
            ]
            network.words.weight[UNK_ID] = table[UNK_ID]
        encoder = {name: value for name, value in self.state.items() if name.startswith("encoder.")}
        network.load_state_dict(encoder, strict=False)


def state_of_graph(path: Path) -> State:
    """The state of a classifier without attention from its fp32 graph, by the order in which ``build_graph`` stores its
    weights. Raises ValueError if the graph does not have the weights of one."""
    arrays = [numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer]
    tables = [array for array in arrays if array.dtype == np.int8]
    scales, *weights = [
        torch.from_numpy(array.astype(np.float32))
        for array in arrays
        if array.dtype in (np.float16, np.float32) and array.ndim
    ]
    num_layers, odd = divmod(len(weights) - 2, 3)
    if odd or num_layers < 1 or len(tables) != 1 or weights[0].ndim != 3 or weights[0].shape[0] != 2:
        raise ValueError(f"{path}: not the weights of a bidirectional LSTM over one table of words")
    state = {"words.weight": torch.from_numpy(tables[0].astype(np.float32)) * scales}
    for layer in range(num_layers):
        state |= recurrent_state(layer, *weights[3 * layer : 3 * layer + 3])
    return state | {"head.weight": weights[-2].T.contiguous(), "head.bias": weights[-1]}


def main() -> None:
    parser = run_parser(__doc__)
    parser.add_argument("--bundle", type=Path, required=True, help="the published classifier")
    parser.add_argument("--num-texts", type=int, help="that it labels; default: as many as the teacher")
    arguments = parser.parse_args()
    config = load_config(ClassifierRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name
    folder.mkdir(parents=True, exist_ok=True)
    start = ClassifierStart.open(arguments.bundle)
    vocabulary, state = start.vocabulary, start.state
    if config.more_words:
        read = read_training(config, arguments.data_dir).values()
        texts = (text.text for part in read for text in part)
        first = vocabulary_of_texts(texts, max_words=config.max_words, min_count=config.min_count).tokens[3:]
        vocabulary, table = with_more_words(
            vocabulary, state["words.weight"], first=first, count=config.more_words, data_dir=arguments.data_dir
        )
        state = state | {"words.weight": table}
    dump_vocabularies({"words": vocabulary}, folder / VOCABULARIES)
    torch.save({"network": state}, folder / START)

    count = arguments.num_texts or (config.teacher.num_taught if config.teacher else 0)
    taught = taught_texts(count, held_out_texts(config, arguments.data_dir), arguments.data_dir)
    texts = [each.text for each in taught]
    classifier = open_classifier(arguments.bundle, "fp32").classifier
    write_taught(folder / TAUGHT_FILE, texts, classify_texts(classifier, texts))
    print(f"{folder}: {START}, {VOCABULARIES}, {TAUGHT_FILE} with {len(texts)} texts")


if __name__ == "__main__":
    main()
