"""Trains ``en-memory``, a small LSTM that holds a conversation and remembers what it was told, and publishes it.

``python -m training.experiments.memory_model --bundle models/en-memory`` makes dialogues by the grammar of the
experiment on memory, with all values of its lists. Weights that are in the run's folder already are published as they
are; without ``--bundle`` they stay there.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import time
from pathlib import Path
from typing import Any

import torch

from service.bundle import SUBWORDS
from service.text.subwords import Subwords
from training.command_line import CORPORA
from training.experiments.dialogue_model import DialogueNetwork, DialogueReader, train
from training.experiments.dialogues import DialogueMaker
from training.experiments.memory_bundle import gathered_dialogues, publish, questions

WEIGHTS, PARTIAL, FACTS = "best.pt", "partial.pt", "facts.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="publish: measure and write a bundle here")
    parser.add_argument("--data-dir", type=Path, help=CORPORA)
    parser.add_argument("--run-dir", type=Path, default=Path("runs/en-memory"))
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--word-size", type=int, default=128)
    parser.add_argument("--subwords", type=int, default=2500)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=6e-3)
    parser.add_argument("--max-turns", type=int, default=12)
    parser.add_argument("--made-up", type=float, default=0.12, help="share of values that are in no list")
    parser.add_argument("--careless", type=float, default=0.25, help="share of users' lines without capitals and stops")
    parser.add_argument("--joined", type=float, default=0.15, help="share of users' lines that tell two things")
    parser.add_argument("--starts-from", type=Path, help="weights of another run with the same subwords")
    parser.add_argument("--num-values", type=int, default=185, help="names, towns, jobs and likings at most, each")
    parser.add_argument("--first-turns", type=int, default=2, help="turns of the first dialogues")
    parser.add_argument("--more-turns", type=int, default=2, help="of dialogues that follow when those are mastered")
    parser.add_argument("--num-questions", type=int, default=100, help="of each kind, when it is measured")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    run: Path = arguments.run_dir
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(arguments.seed)
    random.seed(arguments.seed)

    path = run / SUBWORDS
    if arguments.starts_from:
        shutil.copyfile(arguments.starts_from.with_name(SUBWORDS), path)
    if not path.exists():
        reader = DialogueReader.learn(maker_of(arguments, seed=0), size=arguments.subwords)
        path.write_bytes(reader.subwords.processor.serialized_model_proto())
    reader = DialogueReader(Subwords.load(path, symbols=()))
    sizes = {"word_size": arguments.word_size, "hidden_size": arguments.hidden_size}
    network = DialogueNetwork(cell="lstm", num_words=len(reader.subwords), recalling=True, **sizes)
    if arguments.starts_from:
        load(network, arguments.starts_from)
    if not (run / WEIGHTS).exists():
        train_and_keep(network, reader, run, arguments)
    load(network, run / WEIGHTS)
    if arguments.bundle:
        facts = json.loads((run / FACTS).read_text("utf-8"))
        measured = publish(
            network.model,
            run=run,
            folder=arguments.bundle,
            facts=facts,
            sets=questions(arguments.max_turns, arguments.num_questions, arguments.num_values)
            | gathered_dialogues(arguments.data_dir, arguments.num_values),
        )
        for name, share in measured["int8"].items():
            print(f"{name:32} {100 * share:6.1f}")


def maker_of(arguments: Any, seed: int) -> DialogueMaker:
    """A maker of training dialogues."""
    return DialogueMaker(
        seed=seed,
        num_values=arguments.num_values,
        made_up=arguments.made_up,
        careless=arguments.careless,
        joined=arguments.joined,
    )


def load(network: DialogueNetwork, path: Path) -> None:
    """Set the weights to those of a run, those of the layer that tells facts in training, too."""
    state = torch.load(path, weights_only=True)
    network.model.load_state_dict(state["network"])
    network.recall.load_state_dict(state["recall"])


def train_and_keep(network: DialogueNetwork, reader: DialogueReader, run: Path, arguments: Any) -> None:
    """Train; leave weights, settings and seconds in the run's folder."""

    def save() -> None:
        state = {"network": network.model.state_dict(), "recall": network.recall.state_dict()}
        torch.save(state, run / PARTIAL)

    began, began_cpu = time.perf_counter(), time.process_time()
    reached = train(
        network,
        reader,
        maker_of(arguments, seed=arguments.seed),
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        first_turns=arguments.first_turns,
        more_turns=arguments.more_turns,
        max_turns=arguments.max_turns,
        mastered=0.8,
        keep=save,
    )
    seconds = {"wall": time.perf_counter() - began, "cpu": time.process_time() - began_cpu}
    save()
    (run / PARTIAL).replace(run / WEIGHTS)
    settings = {name: value for name, value in vars(arguments).items() if not isinstance(value, Path | None)}
    facts = {"settings": settings, "seconds": seconds, "steps until 2, 3, ... turns": reached}
    (run / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
