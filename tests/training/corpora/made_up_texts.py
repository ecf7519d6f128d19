"""A data folder with a little of every corpus that classifiers learn from, each in its own form. All of it invented."""

from __future__ import annotations

from pathlib import Path

TREES = {
    "train": (
        "(3 (2 It) (4 (3 (2 's) (3 (2 a) (3 delight))) (2 .)))",
        "(1 (2 It) (1 (1 (2 does) (1 (1 n't) (2 work))) (2 .)))",
        "(4 (4 Wonderful) (2 !))",
        "(2 (2 It) (2 (2 exists) (2 .)))",
        "(0 (0 (2 Utterly) (1 dull)) (2 .))",
    ),
    "dev": ("(1 (1 Dull) (2 .))", "(4 (3 a) (4 delight))", "(2 (2 So) (2 what))"),
    "test": ("(0 (1 It) (0 (0 drags) (2 .)))", "(3 (2 It) (3 (3 works) (2 .)))"),
}
REVIEWS = {
    "train": tuple(
        f"{'pos' if i % 2 else 'neg'}\t{9 if i % 2 else 2}\t{'great' if i % 2 else 'awful'} film {i}" for i in range(12)
    ),
    "test": ("neg\t1\tawful<br /><br />thing", "pos\t10\tgreat film 1", "pos\t8\tgreat thing"),
}
UNRATED = ("never rated<br />at all", "nor was this")
TWEETS = {
    "train": (("so happy &amp; free\\n#joy", 1), ("so angry", 0), ("happy day", 1), ("angry day", 0)) * 2,
    "val": (("happy", 1), ("angry", 0)),
    "test": (("angry now", 0), ("happy now", 1)),
}


def write_corpora(folder: Path) -> None:
    """As ``training.corpora.sources.locate`` finds them in a ``--data-dir``."""
    files = {f"sst/{split}.txt": trees for split, trees in TREES.items()}
    files |= {f"imdb/{split}.tsv": reviews for split, reviews in REVIEWS.items()}
    files["imdb/unsup.txt"] = UNRATED
    for task in ("irony", "emotion", "offensive"):
        for split, tweets in TWEETS.items():
            files[f"tweeteval/{task}/{split}_text.txt"] = tuple(text for text, _ in tweets)
            files[f"tweeteval/{task}/{split}_labels.txt"] = tuple(str(label) for _, label in tweets)
    for name, lines in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
