"""Weights of a shipped tagger as the start of one of one's own."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from service.bundle import VOCABULARIES, load_bundle
from service.errors import BundleError
from service.text.pipeline import Vocabulary, load_vocabularies
from training.networks.tagger import Tagger, TaggerConfig
from training.own_data.errors import DataError
from training.tagger.bundle_start import State, extended, state_of_graph
from training.tagger.evaluate import open_tagger, tag_words

TABLES = {"words": "words", "suffixes": "suffixes", "characters": "characters.embedding"}  # by vocabulary
CHUNK = 5000  # sentences that are tagged together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaggerStart:
    """The weights, vocabularies and tag sets of a published tagger."""

    folder: Path
    name: str  # "en-tagger 2.0.0"
    licence: str
    num_characters: int
    labels: Mapping[str, Sequence[str]]  # by head
    vocabularies: Mapping[str, Vocabulary]
    state: State

    @classmethod
    def open(cls, folder: Path) -> TaggerStart:
        """Read a bundle. Raises DataError if it is none of a tagger of bidirectional LSTM layers."""
        try:
            bundle = load_bundle(folder)
            return cls(
                folder=folder,
                name=f"{bundle.manifest.name} {bundle.manifest.version}",
                licence=bundle.manifest.licence,
                num_characters=bundle.manifest.features["num_characters"],
                labels=bundle.manifest.labels,
                vocabularies=load_vocabularies(bundle.path(VOCABULARIES)),
                state=state_of_graph(bundle.graph("fp32")),
            )
        except (BundleError, ValueError, KeyError) as error:
            raise DataError(f"{folder} is no tagger to start from: {error}.") from error

    def config(self, config: TaggerConfig) -> TaggerConfig:
        """The configuration with the sizes that these weights have and the dropout of another."""
        state = self.state
        character_size = state["features.characters.embedding.weight"].shape[1]
        filters = [value for name, value in state.items() if "convolutions" in name and name.endswith("weight")]
        return TaggerConfig(
            num_layers=sum(name.endswith("weight_hh_l0") for name in state) // 2,
            hidden_size=state["encoder.forwards.0.weight_hh_l0"].shape[1],
            projection_size=len(state.get("encoder.projections.0.weight", ())),
            word_size=state["features.words.weight"].shape[1],
            suffix_size=state["features.suffixes.weight"].shape[1],
            character_size=character_size,
            filter_widths=tuple(value.shape[1] // character_size for value in filters),
            num_filters=filters[0].shape[0],
            dropout=config.dropout,
            input_dropout=config.input_dropout,
        )

    def vocabularies_with(self, own: Mapping[str, Vocabulary], more_words: Sequence[str]) -> dict[str, Vocabulary]:
        """The vocabularies to train with: one's own words and those of ``more_words`` that the bundle knows, and all
        suffixes and characters of the bundle."""
        known = dict.fromkeys(word for word in more_words if word in self.vocabularies["words"].ids)
        return {
            "words": extended(own["words"], list(known)),
            **{name: extended(self.vocabularies[name], own[name].tokens[3:]) for name in ("suffixes", "characters")},
        }

    def network(
        self,
        vocabularies: Mapping[str, Vocabulary],
        heads: Mapping[str, Sequence[str]],
        config: TaggerConfig,
        alike: Mapping[str, str],
    ) -> Tagger:
        """A tagger with these weights.

        A tag of a head begins as the tag of the bundle that ``alike`` names or that has its name, any other one anew.
        """
        network = Tagger.of(vocabularies, heads, config)
        state = {name: value for name, value in self.state.items() if name.startswith(("encoder.", "features."))}
        for name, table in TABLES.items():
            key = f"features.{table}.weight"
            state[key] = rows_of(self.state[key], self.vocabularies[name], vocabularies[name])
        network.load_state_dict(state, strict=False)
        with torch.no_grad():
            for head, tags in heads.items():
                for place, tag in enumerate(tags):
                    known = alike.get(tag, tag) if head == "entity" else tag
                    if known in self.labels[head]:
                        row = list(self.labels[head]).index(known)
                        network.heads[head].weight[place] = self.state[f"heads.{head}.weight"][row]
                        network.heads[head].bias[place] = self.state[f"heads.{head}.bias"][row]
        return network

    def widen(self, network: Tagger, vocabularies: Mapping[str, Vocabulary]) -> dict[str, Vocabulary]:
        """Add the words of the bundle that the network lacks, in place; returns the vocabularies with them."""
        wider = extended(vocabularies["words"], self.vocabularies["words"].tokens[3:])
        more = wider.tokens[len(vocabularies["words"]) :]
        rows = self.state["features.words.weight"][[self.vocabularies["words"].encode(word) for word in more]]
        table = torch.cat([network.features.words.weight.detach(), rows])
        network.features.words = nn.Embedding.from_pretrained(table, padding_idx=0)
        return {**vocabularies, "words": wider}

    def tags_of(self, sentences: Sequence[Sequence[str]]) -> list[dict[str, Sequence[str]]]:
        """The tags that the bundle gives the words of each sentence, by head."""
        tagger = open_tagger(self.folder, "fp32")
        rows = [row for i in range(0, len(sentences), CHUNK) for row in tag_words(tagger, sentences[i : i + CHUNK])]
        return [{"upos": row.upos, "xpos": row.xpos, "entity": row.entity} for row in rows]


def alike_tags(own: Sequence[Sequence[str]], other: Sequence[Sequence[str]]) -> dict[str, str]:
    """The tag in another scheme that each tag of entities is like, from two taggings of the same words.

    A label is like the one that most of its words have in the other scheme, if more than a third of them have it.
    """
    shared: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for tags, others in zip(own, other, strict=True):
        for tag, found in zip(tags, others, strict=True):
            shared[tag.partition("-")[2]][found.partition("-")[2]] += 1
    del shared[""]
    alike = {}
    for label, counts in shared.items():
        total = counts.total()
        counts.pop("", None)
        found, count = max(counts.items(), key=lambda each: (each[1], each[0]), default=("", 0))
        if 3 * count > total:
            alike |= {f"{prefix}-{label}": f"{prefix}-{found}" for prefix in "BIES"}
    return alike


def rows_of(table: Tensor, old: Vocabulary, new: Vocabulary) -> Tensor:
    """The rows of a table (token, size) for another vocabulary; a token that the old one lacks has the mean row."""
    mean = table[3:].mean(0)
    rows = [table[:3], *(table[old.ids[token]][None] if token in old.ids else mean[None] for token in new.tokens[3:])]
    return torch.cat(rows)
