"""A data folder with a little of every corpus that the tagger learns from, each in its own form. All of it invented."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

Row = tuple[str, ...]

# word, UPOS, XPOS
EWT: Sequence[str] = (
    "She/PRON/PRP plays/VERB/VBZ well/ADV/RB ./PUNCT/.",
    "Ann/PROPN/NNP and/CCONJ/CC Bob/PROPN/NNP live/VERB/VBP in/ADP/IN Paris/PROPN/NNP ./PUNCT/.",
    "It/PRON/PRP costs/VERB/VBZ $/SYM/$ 3/NUM/CD million/NUM/CD !/PUNCT/.",
    "He/PRON/PRP plays/VERB/VBZ with/ADP/IN others/NOUN/NNS ./PUNCT/.",
    "The/DET/DT company/NOUN/NN said/VERB/VBD so/ADV/RB on/ADP/IN Friday/PROPN/NNP ./PUNCT/.",
    "We/PRON/PRP love/VERB/VBP good/ADJ/JJ food/NOUN/NN ./PUNCT/.",
)
UNER: Sequence[str] = ("I/O love/O Tampa/B-LOC bay/I-LOC", "Ann/B-PER plays/O well/O", "Acme/B-ORG said/O so/O")
GMB: Sequence[str] = (
    "President/NN/B-per Bush/NNP/I-per met/VBD/O Iraqi/JJ/B-gpe men/NNS/O on/IN/O Friday/NNP/B-tim New~York/NNP/B-geo",
    "Acme/NNP/B-org Corp./NNP/I-org lost/VBD/O 20/CD/O percent/NN/O in/IN/O 1998/CD/B-tim ././O",
    "The/DT/O troops/NNS/O left/VBD/O Nepal/NNP/B-gpe recently/RB/B-tim ././O",
)
WNUT17: Sequence[str] = (
    "Ann/B-person loves/O Paris/B-location and/O Acme/B-corporation",
    "watching/O Star/B-creative-work Wars/I-creative-work with/O the/O Acme/B-group Band/I-group",
    "new/O phone/B-product from/O Bob/B-person !/O",
)
BTC = "Bob{}/B-PER is/O in/O London/B-LOC with/O Acme/B-ORG"
WIKIGOLD: Sequence[str] = (
    "Acme/I-ORG Band/I-ORG played/O",
    "Ann/I-PER Smith/I-PER of/O Japanese/I-MISC descent/O lives/O in/O Osaka/I-LOC",
)
OPEN: Sequence[str] = (
    "Ann/B-PER paid/O Acme/B-ORG $/B-MONEY 3/I-MONEY on/O 5/B-DATE May/I-DATE in/O Paris/B-LOC ./O",
    "The/O second/O of/O two/O rooms/O is/O Japanese/B-MISC ./O",
)
SILVER: Sequence[str] = (
    "The/B-ORG Acme/I-ORG Band/I-ORG met/O Ann/B-PERSON at/O 5/B-TIME pm/I-TIME ./O",
    "Three/B-CARDINAL Iraqi/B-NORP men/O left/O ./O",
)
OPEN_PARTS = (
    "redocred",
    "crossner-train",
    "crossner-dev",
    "crossner-test",
    "sec-filings",
    "re3d",
    "slots",
    "slots-sgd",
)
TIMES = 3  # each sentence stands so often in train


def rows_of(sentence: str) -> list[Row]:
    """``word/tag/tag``; the last slashes part, so that a tag may not hold one but a word may."""
    num_tags = sentence.partition(" ")[0].count("/")
    return [tuple(cell.rsplit("/", num_tags)) for cell in sentence.split()]


def columns(sentences: Sequence[str], *, separator: str = "\t") -> str:
    return "\n\n".join("\n".join(separator.join(row) for row in rows_of(text)) for text in sentences) + "\n"


def conllu(sentences: Sequence[str]) -> str:
    blocks = []
    for number, text in enumerate(sentences):
        rows = rows_of(text)
        head = f"# sent_id = {number}\n# newpar id = {number}\n# text = {' '.join(word for word, *_ in rows)}\n"
        lines = (f"{i}\t{w}\t{w}\t{u}\t{x}\t_\t0\troot\t_\t_" for i, (w, u, x) in enumerate(rows, 1))
        blocks.append(head + "\n".join(lines) + "\n")
    return "\n".join(blocks) + "\n"


def uner(sentences: Sequence[str]) -> str:
    blocks = (
        "# text = x\n" + "\n".join(f"{i}\t{w}\t{t}\t-\t-" for i, (w, t) in enumerate(rows_of(text), 1))
        for text in sentences
    )
    return "\n\n".join(blocks) + "\n"


def write_corpora(folder: Path) -> None:
    """As ``training.corpora.sources.locate`` finds them in a ``--data-dir``."""
    files = {"uner-english-ewt/dev.iob2": uner(UNER), "wikigold/wikigold.conll": columns(WIKIGOLD, separator=" ")}
    for split, times in (("train", TIMES), ("dev", 1), ("test", 1)):
        files[f"ud-english-ewt/{split}.conllu"] = conllu([*EWT] * times)
        files[f"gmb/{split}.conll"] = columns([*GMB] * times)
        files[f"wnut17/{split}.conll"] = columns([*WNUT17] * times)
    many = 400  # sentences, so that every tenth block of them has some
    files |= {
        f"ner-open/{part}.conll": columns([*OPEN] * (many if part in ("redocred", "sec-filings") else 1))
        for part in OPEN_PARTS
    }
    files["ner-silver/train.conll"] = columns(SILVER)
    files |= {f"btc/{section}.conll": columns([BTC.format(section)] * TIMES) for section in "abefg"}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
