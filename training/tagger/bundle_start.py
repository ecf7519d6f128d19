"""Start a tagger's training from a published bundle: its weights become a run folder, its parts of speech labels.

    python -m training.tagger.bundle_start models/en-tagger --run-dir runs/en-tagger-start --labels runs/labels.conll

Checkpoints of old runs need not be kept: a bundle's fp32 graph holds the network, rounded to float16. The vocabulary
grows by the words of the new corpora. A new word's vector is a linear map of its GloVe vector, fitted by ridge
regression on the words that both know (as Mikolov et al. 2013 map vectors), else the mean of all vectors. The labels
are the bundle's tags of plain text and of the silver corpus: new training keeps to them where no person annotated parts
of speech (self-distillation).
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from service.bundle import VOCABULARIES, load_bundle
from service.text.pipeline import Vocabulary, dump_vocabularies, load_vocabularies
from training.corpora import glove, tagging
from training.corpora.entities import TAGS
from training.onnx_graph import recurrent_state
from training.tagger.distil import read_text
from training.tagger.evaluate import open_tagger, tag_words
from training.tagger.export import HEADS
from training.vocabularies import VocabularyConfig, build_vocabularies, count_words

RIDGE = 10.0
OLD_LABELS = {"TIME": "DATE", "PERCENT": "MONEY"}  # the older label that included a newer one
NEW_LABEL_BIAS = -2.0  # of a label that is new
LABELLED_CHUNK = 20_000  # sentences

State = dict[str, Tensor]
Table = npt.NDArray[np.float32]


def state_of_graph(path: Path) -> State:
    """The state of a bidirectional LSTM tagger from its fp32 graph, by the order in which ``build_graph`` stores them.

    Raises ValueError if the graph does not have the weights of a tagger.
    """
    arrays = [numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer]
    tensors = [torch.from_numpy(a.astype(np.float32)) for a in arrays if a.dtype in (np.float16, np.float32)]
    layers = [i for i, tensor in enumerate(tensors) if tensor.ndim == 3][::2]  # where the input weights of each are
    num_projections = len(layers) if layers and tensors[layers[0] - 1].ndim == 2 else 0  # instead of a filter's bias
    num_widths, odd = divmod(len(tensors) - 3 - 3 * len(layers) - num_projections - 2 * len(HEADS), 2)
    if odd or num_widths < 1 or not layers:
        raise ValueError(f"{path}: {len(tensors)} weights, which no tagger has")
    weights = iter(tensors)
    state: State = {
        "features.words.weight": next(weights),
        "features.suffixes.weight": next(weights),
        "features.characters.embedding.weight": next(weights),
    }
    for i in range(num_widths):
        state[f"features.characters.convolutions.{i}.weight"] = next(weights).T.contiguous()
        state[f"features.characters.convolutions.{i}.bias"] = next(weights)
    for layer in range(len(layers)):
        if num_projections:
            state[f"encoder.projections.{layer}.weight"] = next(weights).T.contiguous()
        state |= recurrent_state(layer, *islice(weights, 3))
    for head in HEADS:
        state[f"heads.{head}.weight"] = next(weights).T.contiguous()
        state[f"heads.{head}.bias"] = next(weights)
    return state


def renew_entity_head(state: State, old: Sequence[str], new: Sequence[str]) -> State:
    """The state with an entity head for the tags ``new``. Tags of the old head keep their weights; other tags begin
    with the weights of the label that included them."""
    weight, bias = state["heads.entity.weight"], state["heads.entity.bias"]
    rows, shifts = [], []
    for tag in new:
        prefix, _, label = tag.partition("-")
        before = tag if tag in old else f"{prefix}-{OLD_LABELS[label]}"
        rows.append(old.index(before))
        shifts.append(0.0 if tag in old else NEW_LABEL_BIAS)
    return {**state, "heads.entity.weight": weight[rows], "heads.entity.bias": bias[rows] + torch.tensor(shifts)}


def grow(table: Tensor, old: Vocabulary, new: Vocabulary, vectors: Mapping[str, Table]) -> Tensor:
    """The table for the vocabulary ``new``, whose first tokens are those of ``old``. New rows are taken from
    ``vectors`` where it has them."""
    known = [token for token in old.tokens[3:] if token in vectors]
    mean = table[3:].mean(0)
    grown = torch.cat([table, mean.expand(len(new) - len(old), -1)])
    if not known:
        return grown
    inputs = np.stack([np.append(vectors[token], 1.0) for token in known])
    outputs = table[[old.encode(token) for token in known]].numpy()
    gram = inputs.T @ inputs + RIDGE * np.eye(inputs.shape[1])
    mapping = np.linalg.solve(gram, inputs.T @ outputs)
    for token in new.tokens[len(old) :]:
        if token in vectors:
            row = np.append(vectors[token], 1.0) @ mapping
            grown[new.encode(token)] = torch.from_numpy(row.astype(np.float32))
    return grown


def extended(old: Vocabulary, more: Collection[str]) -> Vocabulary:
    """The old vocabulary followed by the tokens of ``more`` that it lacks."""
    return Vocabulary((*old.tokens, *(token for token in more if token not in old.ids and token not in old.tokens[:3])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--run-dir", type=Path, required=True, help="a folder that training can start from")
    parser.add_argument("--labels", type=Path, required=True, help="file of labelled text to write")
    parser.add_argument("--max-words", type=int, default=40_000, help="of the grown vocabulary")
    parser.add_argument(
        "--num-words", type=int, default=300_000, help="of plain text to label beside the silver corpus"
    )
    parser.add_argument("--data-dir", type=Path, help="folder with the corpora; else they are downloaded")
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    corpora = tagging.read_training(arguments.data_dir, tagging.CORPORA)
    old = load_vocabularies(bundle.path(VOCABULARIES))
    wanted = build_vocabularies(
        count_words(s.words for sentences in corpora.values() for s in sentences),
        VocabularyConfig(min_count=4, max_words=arguments.max_words),
    )
    new = {name: extended(vocabulary, wanted[name].tokens[3:]) for name, vocabulary in old.items()}
    vectors = glove.read_vectors(set(new["words"].tokens), arguments.data_dir)
    state = renew_entity_head(state_of_graph(bundle.graph("fp32")), bundle.manifest.labels["entity"], TAGS)
    for table, name in (("words", "words"), ("suffixes", "suffixes"), ("characters.embedding", "characters")):
        key = f"features.{table}.weight"
        state[key] = grow(state[key], old[name], new[name], vectors if name == "words" else {})
    arguments.run_dir.mkdir(parents=True, exist_ok=True)
    torch.save({"network": state}, arguments.run_dir / "best.pt")
    dump_vocabularies(new, arguments.run_dir / VOCABULARIES)
    print({name: f"{len(old[name])} -> {len(vocabulary)}" for name, vocabulary in new.items()})

    sentences = [s.words for s in corpora["silver"]] + read_text(arguments.num_words, arguments.data_dir)
    write_labels(arguments.bundle, sentences, arguments.labels)


def write_labels(bundle: Path, sentences: Sequence[Sequence[str]], path: Path) -> None:
    """Write a columns file: word, UPOS, XPOS and entity as the bundle tags them."""
    tagger = open_tagger(bundle, "fp32")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, len(sentences), LABELLED_CHUNK):
            chunk = [words[: tagger.max_tokens] for words in sentences[start : start + LABELLED_CHUNK]]
            for words, row in zip(chunk, tag_words(tagger, chunk), strict=True):
                columns = zip(words, row.upos, row.xpos, row.entity, strict=True)
                file.writelines("\t".join(cells) + "\n" for cells in columns)
                file.write("\n")


if __name__ == "__main__":
    main()
