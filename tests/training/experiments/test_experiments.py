"""Every experiment from end to end, in its smallest form, by its command line."""

from __future__ import annotations

import importlib
import json
import random
import re
from pathlib import Path

import pytest

for package in ("torch", "matplotlib", "scipy", "sklearn", "sacrebleu"):
    pytest.importorskip(package)

from tests.training.corpora.made_up_texts import write, write_corpora
from tests.training.scripts import run

WORDS = [
    f"the {noun} near the {other} {verb} here ."
    for noun, verb in (("dog", "runs"), ("dogs", "run"))
    for other in ("house", "houses", "river", "rivers")
]
SMALL = "--hidden-size 8 --batches 4 --vocabulary-size 50 --sources lm-english/help"
ARGUMENTS = {
    "vanishing_gradients": "--hidden-size 8 --steps 22 --distances 3 6",
    "conversation_memory": "--hidden-size 8 --sizes 6 --word-size 8 --steps 3 --max-turns 3 --num-values 4"
    " --subwords 700 --num-questions 3",
    "elman_grammar": "--hidden-size 8 --sentences 400 --epochs 1",
    "word_order": "--hidden-size 4 --epochs 1",
    "agreement": SMALL,
    "sampling": f"{SMALL} --num-samples 4 --length 10",
}
NEED_A_RUN_DIR = ("agreement", "sampling")


@pytest.fixture
def data_dir(tmp_path) -> Path:
    folder = tmp_path / "data"
    write_corpora(folder)
    rng = random.Random(1)
    lines = (" ".join(rng.choices(WORDS, k=2)) + f" There are {number} of them .\n" for number in range(1500))
    write(folder / "lm-english" / "help.txt", "".join(lines))
    rows = [f"attractors={n}\tthe dogs near the house\trun\truns\n" for n in (0, 1)]
    write(folder / "lm-minimal-pairs" / "linzen-natural.tsv", "".join(rows))
    return folder


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_experiment_writes_its_report(name, data_dir, tmp_path, monkeypatch):
    script = importlib.import_module(f"training.experiments.{name}")
    report = tmp_path / "report"
    more = ["--run-dir", tmp_path / "runs"] if name in NEED_A_RUN_DIR else []
    run(script.main, monkeypatch, *ARGUMENTS[name].split(), *more, "--data-dir", data_dir, "--report-dir", report)

    text = (report / "report.md").read_text("utf-8")
    pictures = re.findall(r"\]\((\S+\.png)\)", text)
    assert pictures
    assert {path.name for path in report.iterdir()} == {"report.md", "figures.json", *pictures}
    figures = json.loads((report / "figures.json").read_text("utf-8"))
    assert figures["settings"]["seed"] == 1
    assert "seconds of one processor core" in text


def test_every_experiment_is_tried():
    import training.experiments

    folder = Path(training.experiments.__path__[0])
    scripts = {path.stem for path in folder.glob("*.py") if "experiment_parser(__doc__" in path.read_text("utf-8")}
    assert scripts == set(ARGUMENTS)
