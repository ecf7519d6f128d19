"""Measures how far back a gradient reaches, and over what distance each cell can learn to remember.

``python -m training.experiments.vanishing_gradients`` takes the gradient of the last step's output with respect to
each earlier input (Bengio et al. 1994), what clipping does to it (Pascanu et al. 2013), and trains each cell to copy
symbols over growing distances. ``--hidden-size 512`` for the size of textbooks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.experiments.record import COLOURS, Record, experiment_parser
from training.networks.layers import CELLS
from training.report import blank_figure, save_figure, table

NUM_SYMBOLS = 8  # to be copied; one more is noise, and one asks
NOISE, ASK = NUM_SYMBOLS, NUM_SYMBOLS + 1
LEARNED = 0.95  # share of right symbols that counts as learned


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A cell and how it is started and trained."""

    cell: str
    colour: str
    style: str = "-"
    orthogonal: float = 0.0  # gain of an orthogonal recurrent matrix; 0: torch's uniform start
    forget_bias: float = 0.0
    clip: float = 0.0  # largest norm of a gradient; 0: as it is
    is_start: bool = True  # False: it starts as another does


KINDS = {
    "rnn": Kind(cell="rnn", colour=COLOURS["rnn"], style=":"),
    "rnn, clipped": Kind(cell="rnn", colour=COLOURS["rnn"], style="--", clip=1.0, is_start=False),
    "rnn, orthogonal, clipped": Kind(cell="rnn", colour=COLOURS["rnn"], orthogonal=1.0, clip=1.0),
    "gru, clipped": Kind(cell="gru", colour=COLOURS["gru"], clip=1.0),
    "lstm, forget bias 1, clipped": Kind(cell="lstm", colour=COLOURS["lstm"], forget_bias=1.0, clip=1.0),
}
EXPLODING = Kind(cell="rnn", colour=COLOURS["other"], style="-.", orthogonal=1.5)


class Copier(nn.Module):
    """A one-layer network from symbols to symbols."""

    def __init__(self, kind: Kind, hidden_size: int) -> None:
        super().__init__()
        self.symbols = nn.Embedding(NUM_SYMBOLS + 2, 32)
        self.cell = CELLS[kind.cell](32, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, NUM_SYMBOLS)
        recurrent, bias = self.cell.weight_hh_l0.data, self.cell.bias_hh_l0.data
        if kind.orthogonal:
            recurrent.copy_(kind.orthogonal * nn.init.orthogonal_(recurrent.clone()))
        if kind.forget_bias:
            bias[hidden_size : 2 * hidden_size] = kind.forget_bias

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits (batch, time, symbol) of symbols (batch, time)."""
        return self.head(self.cell(self.symbols(ids))[0])


def gradient_norms(kind: Kind, hidden_size: int, distance: int) -> list[float]:
    """The norm of the gradient of a random direction of the last state with respect to each input, nearest first;
    the mean (geometric) of 64 sequences of random vectors."""
    cell = Copier(kind, hidden_size).cell
    inputs = torch.randn(64, distance + 1, 32, requires_grad=True)
    last = cell(inputs)[0][:, -1]
    (last * functional.normalize(torch.randn_like(last), dim=-1)).sum().backward()
    norms = inputs.grad.norm(dim=-1).clamp_min(1e-38)  # (batch, time)
    return norms.log().mean(0).exp().flip(0).tolist()


def copy_batch(distance: int, num_copied: int, batch_size: int) -> tuple[Tensor, Tensor]:
    """Sequences of some symbols, noise over the distance, and as many signs that ask for the symbols in order."""
    wanted = torch.randint(NUM_SYMBOLS, (batch_size, num_copied))
    noise = torch.full((batch_size, distance - num_copied), NOISE)
    return torch.cat([wanted, noise, torch.full_like(wanted, ASK)], dim=1), wanted


def learn_to_copy(network: Copier, kind: Kind, distance: int, arguments: Any) -> tuple[float, list[float]]:
    """Train until the symbols are copied over a distance, or for so many steps; return the share copied right in the
    last batches, and each step's gradient norm."""
    optimizer = torch.optim.Adam(network.parameters(), lr=arguments.learning_rate)
    right, norms = [], []
    for _ in range(arguments.steps):
        ids, wanted = copy_batch(distance, arguments.copied, 32)
        logits = network(ids)[:, -arguments.copied :]
        optimizer.zero_grad()
        functional.cross_entropy(logits.flatten(0, 1), wanted.flatten()).backward()
        norms.append(float(nn.utils.clip_grad_norm_(network.parameters(), kind.clip or float("inf"))))
        optimizer.step()
        right.append(float((logits.argmax(-1) == wanted).float().mean()))
        if len(right) >= 20 and np.mean(right[-20:]) > LEARNED:
            break
    return float(np.mean(right[-20:])), norms


def norms_by_length(lengths: list[int], hidden_size: int) -> dict[str, list[float]]:
    """The norm of the whole gradient of a network that explodes, by length: as it is, and clipped."""
    raw, clipped = [], []
    for length in lengths:
        network = Copier(EXPLODING, hidden_size)
        ids, wanted = copy_batch(length, 1, 32)
        functional.cross_entropy(network(ids)[:, -1], wanted[:, 0]).backward()
        raw.append(float(nn.utils.clip_grad_norm_(network.parameters(), 1.0)))
        clipped.append(float(torch.cat([p.grad.flatten() for p in network.parameters()]).norm()))
    return {"as it is": raw, "clipped to 1": clipped}


def draw(norms: dict[str, list[float]], copied: dict[str, list[float]], distances: list[int], record: Record) -> None:
    """Left: gradient against distance. Right: what is copied over each distance."""
    figure = blank_figure(10, 4)
    left, right = figure.subplots(1, 2)
    for name, values in norms.items():
        kind, label = KINDS.get(name, EXPLODING), name.removesuffix(", clipped")
        left.plot(np.array(values) / values[0], kind.style, color=kind.colour, label=label)
    left.set(yscale="log", ylim=(1e-14, 1e10), xlabel="steps back", ylabel="gradient, relative to the last input's")
    left.set_title("At the start: how much of a gradient arrives")
    for name, values in copied.items():
        kind = KINDS[name]
        right.plot(distances[: len(values)], values, kind.style, marker="o", color=kind.colour, label=name)
        if values[-1] <= LEARNED:
            right.plot(distances[len(values) - 1], values[-1], "X", markersize=11, color=kind.colour)
    right.axhline(1 / NUM_SYMBOLS, color="0.7", linewidth=1)
    right.text(distances[-1], 1 / NUM_SYMBOLS - 0.05, "chance", color="0.4", fontsize=8, ha="right")
    right.set(xscale="log", ylim=(0, 1.03), xlabel="steps between a symbol and its copy", ylabel="symbols copied right")
    right.set_xticks(distances, map(str, distances))
    right.minorticks_off()
    right.set_title("After training: what is remembered (X: given up)")
    left.legend(fontsize=8, loc="upper right")
    right.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 0.14))
    save_figure(figure, record.folder / "distance.png")


def main() -> None:
    parser = experiment_parser(__doc__, "vanishing-gradients")
    parser.add_argument("--hidden-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=500, help="at most for each distance, 32 sequences each")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--copied", type=int, default=2, help="symbols to be copied")
    parser.add_argument("--distances", type=int, nargs="+", default=[5, 10, 20, 40, 80, 160])
    arguments = parser.parse_args()
    record = Record(arguments, "Vanishing and exploding gradients")

    starts = {name: kind for name, kind in (KINDS | {"rnn, orthogonal times 1.5": EXPLODING}).items() if kind.is_start}
    norms = {name: gradient_norms(kind, arguments.hidden_size, 100) for name, kind in starts.items()}
    lengths = [10, 20, 40, 80, 160]
    clipping = norms_by_length(lengths, arguments.hidden_size)
    copied: dict[str, list[float]] = {}
    batches: dict[str, list[int]] = {}
    largest: dict[str, float] = {}
    for name, kind in KINDS.items():
        network = Copier(kind, arguments.hidden_size)
        copied[name], batches[name], largest[name] = [], [], 0.0
        for distance in arguments.distances:
            accuracy, each_norm = learn_to_copy(network, kind, distance, arguments)
            copied[name].append(accuracy)
            batches[name].append(len(each_norm))
            largest[name] = max(largest[name], *each_norm)
            print(f"{name:32} {distance:4} steps: {accuracy:.2f} after {len(each_norm)} batches", flush=True)
            if accuracy <= LEARNED:
                break

    draw(norms, copied, arguments.distances, record)
    record.keep(gradient_by_steps_back=norms)
    record.keep(copied_by_distance={n: dict(zip(arguments.distances, v, strict=False)) for n, v in copied.items()})
    record.keep(batches_by_distance={n: dict(zip(arguments.distances, v, strict=False)) for n, v in batches.items()})
    record.keep(gradient_of_exploding_rnn={n: dict(zip(lengths, v, strict=True)) for n, v in clipping.items()})
    record.keep(largest_gradient_in_training=largest)
    write_text(record, norms, copied, batches, clipping, lengths, arguments, largest)
    record.write()


def write_text(
    record: Record,
    norms: dict[str, list[float]],
    copied: dict[str, list[float]],
    batches: dict[str, list[int]],
    clipping: dict[str, list[float]],
    lengths: list[int],
    arguments: Any,
    largest: dict[str, float],
) -> None:
    """The report's paragraphs and tables."""
    record.say(
        f"""A recurrent network learns from what was long ago only if the gradient survives the way back: at every step
        it is multiplied by the same matrix and by the slope of the cell's function. Here the last state of a fresh
        network of {arguments.hidden_size} units is differentiated with respect to each earlier input (left). Then every
        cell is trained to copy {arguments.copied} of {NUM_SYMBOLS} symbols over a short distance; as soon as it copies
        {100 * LEARNED:.0f} % it goes on to twice the distance, and it has failed where {arguments.steps} batches of 32
        sequences are not enough (right; a line ends there)."""
    )
    record.show("distance.png", "gradient against distance, and symbols copied against distance")
    rows = [
        [name.removesuffix(", clipped"), *(f"{v[k] / v[0]:.1e}" for k in (10, 50, 100))] for name, v in norms.items()
    ]
    record.lines += ["What is left of the gradient, before training:", ""]
    record.lines += table(["start", "10 steps back", "50", "100"], rows)
    record.lines += ["Symbols copied right by distance, after so many batches, and the largest norm of a gradient:", ""]
    rows = []
    for name, values in copied.items():
        cells = [f"{100 * x:.0f} % ({n})" for x, n in zip(values, batches[name], strict=True)]
        cells += ["–"] * (len(arguments.distances) - len(cells))
        rows.append([name, *cells, f"{largest[name]:.1f}"])
    record.lines += table(["cell", *map(str, arguments.distances), "largest gradient"], rows)
    record.lines += ["The gradient of all weights of the network that explodes (orthogonal times 1.5), by length:", ""]
    record.lines += table(["", *map(str, lengths)], [[n, *(f"{x:.3g}" for x in v)] for n, v in clipping.items()])
    record.say(
        """Clipping shortens a gradient and keeps its direction: it heals explosion, and brings nothing back that has
        vanished. The networks see nothing but the noise sign between the symbols and the question, so that the cells
        are not asked to ignore anything; with other words between, distances are shorter (see the report on memory)."""
    )


if __name__ == "__main__":
    main()
