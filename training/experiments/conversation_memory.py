"""Measures what recurrent networks remember of a conversation, and for how many turns.

``python -m training.experiments.conversation_memory`` trains small language models on dialogues made by a grammar
(``dialogue_grammar.toml``) and asks them for a name, a town, a job, a liking or a number that was told turns ago.
``--sizes 128 256 512`` for larger ones; ``--steps`` and ``--num-values`` for longer training on more names.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from service.bundle import MANIFEST, load_bundle
from training.experiments.dialogue_model import DialogueNetwork, DialogueReader, remembers, train
from training.experiments.dialogues import BOT, Dialogue, DialogueMaker, Turn
from training.experiments.record import COLOURS, Record, experiment_parser
from training.report import blank_figure, save_figure, table

SYSTEMS = {"rnn": ("rnn", False), "gru": ("gru", False), "lstm": ("lstm", False), "attention": ("lstm", True)}
NAMES = {"rnn": "rnn", "gru": "gru", "lstm": "lstm", "attention": "lstm with attention"}
CONVERSATION = [  # what the pictures show; {} is the value that is changed
    Turn(user="My name is {}.", bot="Hello, {}!"),
    Turn(user="It is raining today.", bot="I hope it clears up soon."),
    Turn(user="Set a timer for 10 minutes.", bot="Timer set for 10 minutes."),
    Turn(user="Actually, make it 15.", bot="Timer set for 15 minutes."),
    Turn(user="How long is the timer?", bot="The timer is set for 15 minutes.", asked="timer", value="15"),
    Turn(user="What is my name?", bot="Your name is {}.", asked="name", value="{}"),
]


def conversation(name: str) -> Dialogue:
    """The conversation of the pictures, with a name in it."""
    return [
        Turn(user=t.user.replace("{}", name), bot=t.bot.replace("{}", name), asked=t.asked, value=t.value)
        for t in CONVERSATION
    ]


def questions(seed: int, num_values: int, max_turns: int, count: int) -> dict[str, list[Dialogue]]:
    """Dialogues by what they test: each distance of a name in ``max_turns`` turns, each kind, corrections, unknown."""
    maker = DialogueMaker(seed=seed, num_values=num_values)
    sets = {
        f"name {distance}": [maker.dialogue(max_turns, asked="name", distance=distance) for _ in range(count)]
        for distance in range(1, max_turns)
    }
    for kind in maker.kinds[1:]:
        sets[kind] = [maker.dialogue(7, asked=kind, distance=maker.rng.randint(1, 6)) for _ in range(count)]
    sets["corrected"], sets["never told"] = [], []
    while min(len(sets["corrected"]), len(sets["never told"])) < count:
        dialogue = maker.dialogue(7)
        if dialogue[-1].is_corrected:
            sets["corrected"].append(dialogue)
        elif dialogue[-1].asked and not dialogue[-1].value:
            sets["never told"].append(dialogue)
    return {name: dialogues[:count] for name, dialogues in sets.items()}


def main() -> None:
    parser = experiment_parser(__doc__, "conversation-memory")
    parser.add_argument("--sizes", type=int, nargs="+", default=[32], help="hidden sizes of the lstm")
    parser.add_argument("--hidden-size", type=int, default=128, help="of the four systems")
    parser.add_argument("--word-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=600, help="of training at most")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-2, help="of the rnn a third")
    parser.add_argument("--num-values", type=int, default=30, help="names, towns, jobs, likings each")
    parser.add_argument("--subwords", type=int, default=1150)
    parser.add_argument("--max-turns", type=int, default=10)
    parser.add_argument("--num-questions", type=int, default=100, help="of each kind and distance")
    parser.add_argument("--shipped", type=Path, default=Path("models/en-memory"), help="shown beside them if there")
    arguments = parser.parse_args()
    record = Record(arguments, "Memory in conversation")
    reader = DialogueReader.learn(DialogueMaker(seed=0, num_values=arguments.num_values), size=arguments.subwords)
    asked = questions(arguments.seed + 1, arguments.num_values, arguments.max_turns, arguments.num_questions)

    networks = {name: fit(cell, attention, arguments.hidden_size, reader, arguments)
                for name, (cell, attention) in SYSTEMS.items()}  # fmt: skip
    recall = {name: recall_of(network, reader, asked) for name, (network, _) in networks.items()}
    by_size = {arguments.hidden_size: recall["lstm"]}
    for size in arguments.sizes:
        if size not in by_size:
            by_size[size] = recall_of(fit("lstm", False, size, reader, arguments)[0], reader, asked)

    shipped = recall_of_bundle(arguments.shipped)
    draw_recall(recall, by_size, shipped, arguments.max_turns, record)
    draw_states(networks["lstm"][0], reader, record)
    draw_attention(networks["attention"][0], reader, record)
    record.keep(recall=recall, recall_of_lstm_by_size=by_size, subwords=len(reader.subwords))
    record.keep(recall_as_shipped=shipped)
    training = {name: figures for name, (_, figures) in networks.items()}
    record.keep(training=training)
    write_text(record, recall, by_size, training, arguments)
    write_shipped(record, shipped, arguments.shipped.name)
    record.write()


def fit(
    cell: str, attention: bool, hidden_size: int, reader: DialogueReader, arguments: Any
) -> tuple[DialogueNetwork, dict[str, float | list[int]]]:
    """A trained network, and what its training took: seconds of one core, and steps until dialogues of 2, 3, ...
    turns were reached; the same dialogues for each."""
    torch.manual_seed(arguments.seed)
    random.seed(arguments.seed)
    print(f"{cell}{' with attention' if attention else ''}, {hidden_size} units", flush=True)
    network = DialogueNetwork(
        cell=cell,
        num_words=len(reader.subwords),
        word_size=arguments.word_size,
        hidden_size=hidden_size,
        attention=attention,
    )
    began = time.process_time()
    reached = train(
        network,
        reader,
        DialogueMaker(seed=arguments.seed, num_values=arguments.num_values),
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate * (1 / 3 if cell == "rnn" else 1),
        max_turns=arguments.max_turns,
    )
    return network.eval(), {"cpu seconds": time.process_time() - began, "steps until 2, 3, ... turns": reached}


def recall_of(
    network: DialogueNetwork, reader: DialogueReader, asked: Mapping[str, Sequence[Dialogue]]
) -> dict[str, float]:
    """The share of right answers by set."""
    return {name: float(np.mean(remembers(network, reader, dialogues))) for name, dialogues in asked.items()}


def recall_of_bundle(folder: Path) -> dict[int, float]:
    """The share of names that a published model recalls, by distance in turns, as its manifest says; empty if it is
    not there."""
    if not (folder / MANIFEST).exists():
        return {}
    metrics = load_bundle(folder).manifest.metrics
    found = {re.fullmatch(r"recall name, (\d+) turns", name): value for name, value in metrics.items()}
    return {int(match[1]): value / 100 for match, value in found.items() if match}


def draw_recall(
    recall: Mapping[str, Mapping[str, float]],
    by_size: Mapping[int, Mapping[str, float]],
    shipped: Mapping[int, float],
    max_turns: int,
    record: Record,
) -> None:
    """Left: the four systems, recall of a name by distance. Right: the lstm by its size, and the one that ships."""
    figure = blank_figure(10, 3.8)
    left, right = figure.subplots(1, 2, sharey=True)
    turns = range(1, max_turns)
    for name, found in recall.items():
        left.plot(turns, [100 * found[f"name {d}"] for d in turns], "-o", color=COLOURS[name], label=NAMES[name])
    for shade, (size, found) in zip((0.35, 0.6, 1.0, 0.8), sorted(by_size.items()), strict=False):
        values = [100 * found[f"name {d}"] for d in turns]
        right.plot(turns, values, "-o", color=COLOURS["lstm"], alpha=shade, label=f"lstm, {size} units")
    if shipped:
        values = [100 * share for share in shipped.values()]
        right.plot(list(shipped), values, "--s", color="black", markersize=4, label="as shipped: more names")
    for axes in (left, right):
        axes.set(ylim=(-3, 103), xlabel="turns between telling a name and being asked for it")
        axes.set_xticks(sorted({*turns, *shipped}) if axes is right else list(turns))
        axes.legend(fontsize=8, loc="center right")
        axes.grid(axis="y", color="0.9")
    left.set(ylabel="names recalled, %", title="By cell")
    right.set_title("By size")
    save_figure(figure, record.folder / "recall.png")


def spelled(reader: DialogueReader, ids: torch.Tensor) -> list[str]:
    """The pieces as the pictures show them."""
    pieces = reader.subwords.pieces(ids.tolist())
    return [piece.replace("\u2581", "").replace("\n", "¶") for piece in pieces]


@torch.inference_mode()
def draw_states(network: DialogueNetwork, reader: DialogueReader, record: Record) -> None:
    """The states of an lstm over one conversation: the units that tell most about the name. Two names, one above the
    other, and what differs."""
    ids, states = {}, {}
    for name in ("Alice", "David"):
        random.seed(0)  # the same line breaks and ends
        batch = reader.batch([conversation(name)])
        ids[name], states[name] = batch.ids[0], network.states(batch.ids)[0][0]
    time = min(len(each) for each in states.values())
    difference = states["Alice"][:time] - states["David"][:time]
    order = difference.abs().mean(0).argsort(descending=True)[:40]
    figure = blank_figure(10, 5)
    axes = figure.subplots(2, 1, sharex=True)
    pieces = spelled(reader, ids["Alice"][:time])
    titles = (
        'The 40 units that tell most of the name, "My name is Alice"',
        "Minus the state if the name is David: what it remembers of the name",
    )
    for panel, values, title in zip(axes, (states["Alice"][:time], difference), titles, strict=True):
        image = panel.imshow(values[:, order].T.numpy(), cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        panel.set(ylabel="unit", title=title)
        figure.colorbar(image, ax=panel, fraction=0.02, pad=0.01)
    axes[1].set_xticks(range(time), pieces, rotation=90, fontsize=6)
    save_figure(figure, record.folder / "states.png")


@torch.inference_mode()
def draw_attention(network: DialogueNetwork, reader: DialogueReader, record: Record) -> None:
    """Draw where an lstm with attention looks while it writes its answers: a row for each token of the bot."""
    random.seed(0)
    batch = reader.batch([conversation("Alice")])
    _, weights = network.states(batch.ids[:, :-1])
    assert weights is not None
    pieces = spelled(reader, batch.ids[0])
    rows = [place for place in range(len(pieces) - 1) if batch.kinds[0, place]]
    rows = rows[-15:]  # the last answers
    figure = blank_figure(11, 4.4)
    axes = figure.add_subplot()
    image = axes.imshow(weights[0, rows].numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(pieces) - 1), pieces[:-1], rotation=90, fontsize=7)
    axes.set_yticks(range(len(rows)), [pieces[row + 1] for row in rows], fontsize=8)
    axes.set(ylabel="token about to be written", title="What attention looks at")
    figure.colorbar(image, ax=axes, fraction=0.02, pad=0.01)
    save_figure(figure, record.folder / "attention.png")


def write_text(
    record: Record,
    recall: Mapping[str, Mapping[str, float]],
    by_size: Mapping[int, Mapping[str, float]],
    training: Mapping[str, Any],
    arguments: Any,
) -> None:
    """The report's paragraphs and tables."""
    distances = [1, 2, 3, 5, 7, arguments.max_turns - 1]
    distances = sorted({d for d in distances if d < arguments.max_turns})
    others = [name for name in recall["rnn"] if not name.startswith("name ")]

    def row(label: str, found: Mapping[str, float]) -> list[str]:
        names = [f"{100 * found[f'name {d}']:.0f}" for d in distances]
        return [label, *names, *(f"{100 * found[name]:.0f}" for name in others)]

    record.say(
        f"""Language models of {arguments.hidden_size} units read dialogues of 2 to {arguments.max_turns} turns, made by
        a grammar: names, towns, jobs, likings and timers are told, corrected ("Actually, make it 15."), and asked for,
        with small talk and other people's names between. They learn to write the bot's words. Then each is asked
        {arguments.num_questions} times over every distance; an answer counts if the likeliest token is the right one
        from the value to the end."""
    )
    record.show("recall.png", "names recalled against distance, by cell and by size")
    record.lines += ["Right answers in %; names by distance in turns, the others over 1 to 6 turns:", ""]
    header = ["", *(f"name, {d}" for d in distances), *others]
    rows = [row(NAMES[name], found) for name, found in recall.items()]
    rows += [row(f"lstm, {size} units", found) for size, found in sorted(by_size.items())]
    record.lines += table(header, rows)
    lengths = {name: 1 + len(figures["steps until 2, 3, ... turns"]) for name, figures in training.items()}
    trained = "; ".join(
        f"{NAMES[name]} {lengths[name]} turns, {figures['cpu seconds']:.0f} seconds"
        for name, figures in training.items()
    )
    record.say(
        f"""Training begins with dialogues of two turns, and goes on to one more as soon as 90 % of the values that
        are asked for are right; it ends after {arguments.steps} batches of {arguments.batch_size}, or when nearly all
        are right over {arguments.max_turns} turns. How far each came, and the time on one core: {trained}. Every name
        of the questions occurs in training: this measures memory, not spelling."""
    )
    record.show("states.png", "states of the lstm over a conversation")
    record.show("attention.png", "what attention looks at")
    record.say(f"In the pictures the bot writes what follows `{BOT}`; everything else is read.")


def write_shipped(record: Record, shipped: Mapping[int, float], name: str) -> None:
    """The paragraph on the model that ships, if it is there."""
    if shipped:
        shares = ", ".join(f"{distance}: {100 * share:.0f}" for distance, share in shipped.items())
        record.say(
            f"""`{name}` as it ships was trained for longer, on more names and wordings, with a second loss that asks
            after every turn what has been told. Right answers in % of its own test, by distance in turns: {shares}."""
        )


if __name__ == "__main__":
    main()
