"""The parts that the CARD.md of every bundle has: tables, corpora, the default precision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The corpora that a model learned from, and the terms of the model as a whole."""

    corpora: Sequence[Mapping[str, str]]  # name, use, licence and source of each
    licence: str
    commercial_use: bool | None  # None: not known

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a manifest."""
        return {
            "licence": self.licence,
            "commercial_use": self.commercial_use,
            "corpora": [dict(corpus) for corpus in self.corpora],
        }


class Layers(Protocol):
    """The fields of a network's configuration that a card describes."""

    cell: str
    bidirectional: bool
    num_layers: int
    hidden_size: int


def layers_text(network: Layers) -> str:
    """The layers in words: ``2 bidirectional LSTM layers of 256 a direction``."""
    count = f"{network.num_layers} {'bidirectional ' if network.bidirectional else ''}{network.cell.upper()}"
    layers = "layer" if network.num_layers == 1 else "layers"
    return f"{count} {layers} of {network.hidden_size}{' a direction' if network.bidirectional else ''}"


def corpora_table(manifest: Mapping[str, Any]) -> str:
    """The corpora of a manifest as a table in Markdown."""
    columns = ["name", "use", "licence", "source"]
    return table(["corpus", *columns[1:]], [[corpus[column] for column in columns] for corpus in manifest["corpora"]])


def default_text(manifest: Mapping[str, Any], difference: float, output: str) -> str:
    """The default precision, the reason for it, and the largest difference from torch in any ``output``."""
    return (
        f"Default: {manifest['default_precision']}. {manifest['default_reason']} "
        f"Against torch the fp32 graph is off by at most {difference:.0e} in any {output}, "
        "in a share of the largest one where that is above 1."
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def join_sections(sections: Iterable[str]) -> str:
    """The parts of a card, headings among them, with a blank line between them."""
    return "\n\n".join(section.strip("\n") for section in sections) + "\n"
