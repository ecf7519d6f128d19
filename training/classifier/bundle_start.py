"""Start a classifier's training from a published bundle: its weights become a run folder, its answers labels.

    python -m training.classifier.bundle_start CONFIG --bundle models/en-sentiment --run-dir runs/en-sentiment

The configuration says ``starts_from``. Checkpoints and teachers of old runs need not be kept: a bundle's fp32 graph
holds the network, the word table rounded to bytes and the rest to float16. The bundle labels the texts that a teacher
would label (``taught.tsv``), so that new training keeps to what it knows (self-distillation).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from service.bundle import VOCABULARIES, load_bundle
from service.text.vocabulary import dump_vocabularies, load_vocabularies
from training.classifier.config import ClassifierRun
from training.classifier.corpora import held_out_texts
from training.classifier.evaluate import classify_texts, open_classifier
from training.classifier.taught import taught_texts, write_taught
from training.command_line import run_parser
from training.config import load_config
from training.onnx_graph import recurrent_state

TAUGHT_FILE, START = "taught.tsv", "start.pt"


def state_of_graph(path: Path) -> dict[str, Tensor]:
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
    if odd or num_layers < 1 or len(tables) != 1:
        raise ValueError(f"{path}: {len(weights)} weights, which no classifier of this kind has")
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
    bundle = load_bundle(arguments.bundle)
    dump_vocabularies(load_vocabularies(bundle.path(VOCABULARIES)), folder / VOCABULARIES)
    torch.save({"network": state_of_graph(bundle.graph("fp32"))}, folder / START)

    count = arguments.num_texts or (config.teacher.num_taught if config.teacher else 0)
    taught = list(taught_texts(count, held_out_texts(config, arguments.data_dir), arguments.data_dir))
    classifier = open_classifier(arguments.bundle, "fp32").classifier
    write_taught(folder / TAUGHT_FILE, [t.text for t in taught], classify_texts(classifier, [t.text for t in taught]))
    print(f"{folder}: {START}, {VOCABULARIES}, {TAUGHT_FILE} with {len(taught)} texts")


if __name__ == "__main__":
    main()
