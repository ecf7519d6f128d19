"""``ribbon train`` as a person uses it: data in, a bundle out that the service's code opens, and no traceback."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

for package in ("torch", "onnx", "matplotlib", "sklearn", "sacrebleu", "sacremoses"):
    pytest.importorskip(package)

from ribbon.commands.train import train
from service.bundle import Bundle, load_bundle
from service.predictors.classifier import Classifier
from service.predictors.tagger import Tagger
from service.predictors.translation import LanguagePair, TranslateOptions
from service.runtime.session import OnnxSession
from service.text.pipeline import pad
from service.text.tokenizer import split_sentences
from tests.training.corpora.made_up_pairs import SENTENCES, german
from training.language_model.predict import LanguageModelBundle
from training.own_data.classifier import ClassifierFiles, train_classifier
from training.own_data.labelled import TableOptions
from training.own_data.options import TrainOptions
from training.translator.evaluate import open_translator

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "train-your-own.md"
TICKETS = ROOT / "docs" / "examples" / "tickets.csv"
QUICK = ("--minutes", "0.05", "--threads", "1", "--start", "none")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ribbon_train(*arguments: object) -> Result:
    return CliRunner().invoke(train, [str(argument) for argument in arguments])


def trained(*arguments: object) -> str:
    result = ribbon_train(*arguments)
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.output


def said(result: Result) -> str:
    """The output of a refused command in one line."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def test_the_commands_of_the_guide_make_a_classifier_and_replace_it(folder):
    (folder / "docs").symlink_to(ROOT / "docs")
    commands = re.findall(r"^ribbon train (.*)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    first, again = (shlex.split(command) for command in commands if "docs/examples" in command)
    output = trained(*first, *QUICK)
    assert "the text is column 'message', the label is column 'queue'" in output
    assert "3 labels; 42 texts to learn from, 9 to choose by, 9 to measure by." in output
    assert re.search(r"The (baseline|network) is .*network \d+\.\d %, TF-IDF, linear SVM \d+\.\d %", output)
    assert "With 9 test examples a figure is known to about ±33 points" in output
    assert "ribbon serve --models models" in output
    bundle = load_bundle(folder / "models" / "tickets")
    check_classifier(bundle)

    assert "models/tickets is there already" in said(ribbon_train(*first, *QUICK))
    trained(*again, *QUICK, "--seed", "2")
    assert load_bundle(folder / "models" / "tickets").checksum != bundle.checksum
    assert [path.name for path in (folder / "models").iterdir()] == ["tickets"]

    for command in commands:
        name, data, *options = shlex.split(command)
        if "docs/" not in data:  # a file of one's own
            assert f"{data} does not exist" in said(ribbon_train(name, data, *options, "--threads", 1))


def check_classifier(bundle: Bundle) -> None:
    """Both precisions answer, card and report are whole, and no text of the data is in the bundle."""
    assert bundle.manifest.name == "tickets"
    assert bundle.manifest.labels["label"] == ("billing", "delivery", "technical")
    assert bundle.manifest.commercial_use is None
    for precision in bundle.manifest.precisions:
        classifier = Classifier(bundle, OnnxSession(bundle.graph(precision)))
        (answer,) = classifier.run(pad([classifier.encode("The invoice is wrong.").ids]))
        assert sum(answer.scores) == pytest.approx(1, abs=1e-4)
    card = bundle.path("CARD.md").read_text(encoding="utf-8")
    assert "42 examples to learn from, 9 to choose by, 9 to measure by. Seed 1." in card
    assert "TF-IDF, linear SVM" in card
    report = bundle.folder / "report"
    text = (report / "report.md").read_text(encoding="utf-8")
    assert "TF-IDF, linear SVM" in text
    pictures = re.findall(r"\]\(([\w-]+\.png)\)", text)
    assert len(pictures) == 4
    assert all((report / picture).is_file() for picture in pictures)
    examples = json.loads(bundle.path("examples.json").read_text(encoding="utf-8"))
    assert 3 <= len(examples) <= 20
    own = TICKETS.read_text(encoding="utf-8")
    assert not any(example["text"] in own for example in examples)


def test_texts_of_several_labels_make_a_classifier_that_gives_several(folder):
    labels = {"parcel": "delivery", "invoice": "billing", "browser": "technical"}
    pairs = [(a, b) for a in labels for b in labels]
    lines = [
        {"text": f"The {a} and the {b} of case {i} are wrong.", "labels": sorted({labels[a], labels[b]})}
        for i in range(8)
        for a, b in pairs
    ]
    (folder / "cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    output = trained("classifier", "cases.jsonl", *QUICK)
    assert "Several labels a text: 48 texts have more than one." in output
    assert re.search(r"network \d+\.\d % F1, TF-IDF, logistic regression \d+\.\d % F1", output)
    assert re.search(r"Mean F1 of the labels: network \d+\.\d %, TF-IDF, logistic regression \d+\.\d %\.", output)
    bundle = load_bundle(folder / "models" / "cases")
    assert bundle.manifest.multi_label
    assert set(bundle.manifest.thresholds) == {"billing", "delivery", "technical"}
    classifier = Classifier(bundle, OnnxSession(bundle.graph()))
    (answer,) = classifier.run(pad([classifier.encode("The parcel and the invoice are wrong.").ids]))
    assert all(0 <= score <= 1 for score in answer.scores)
    card = bundle.path("CARD.md").read_text(encoding="utf-8")
    assert (
        "the threshold of each label were chosen on\ndev" in card
        or "the threshold of each label chosen on\ndev" in card
    )
    assert "| `billing` | 0." in card
    report = (bundle.folder / "report" / "report.md").read_text(encoding="utf-8")
    assert "## Thresholds, chosen on dev" in report
    assert "TF-IDF, logistic regression" in report


def test_a_broken_off_run_leaves_nothing(folder):
    def interrupt(sentence: str) -> None:
        if sentence.startswith("An LSTM"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_classifier(
            ClassifierFiles(train=TICKETS),
            TrainOptions(out=folder / "models" / "tickets", name="tickets", minutes=0.1),
            table=TableOptions(),
            starts=[],
            say=interrupt,
        )
    assert list((folder / "models").iterdir()) == []


def sentences(names: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    tags = ["B-WHO", "O", "B-FIRM", "I-FIRM"]
    return [([name, "calls", "Acme", f"no{i}"], tags) for i in range(12) for name in names]


def test_a_tagger_learns_labels_of_its_own(folder):
    blocks = ("".join(f"{w}\t{t}\n" for w, t in zip(*s, strict=True)) for s in sentences("Kim Lee Ada".split()))
    (folder / "names.iob2").write_text("\n".join(blocks), encoding="utf-8")
    output = trained("tagger", "names.iob2", *QUICK)
    assert "the word is column 1, its tag is column 2" in output
    assert re.search(r"network \d+\.\d % F1, linear model \d+\.\d % F1", output)
    bundle = load_bundle(folder / "models" / "names")
    assert bundle.manifest.labels["entity"][:2] == ("O", "B-FIRM")
    tagger = Tagger(bundle, OnnxSession(bundle.graph()))
    (row,) = tagger.run(pad([tagger.encode(sentence).ids for sentence in split_sentences("Kim calls Acme no3")]))
    assert len(row.entity) == 4
    assert (folder / "models" / "names" / "report" / "confusion-entity.png").is_file()


def test_a_tagger_learns_parts_of_speech_of_conllu(folder):
    row = "{}\t{}\t_\t{}\t{}\t_\t0\t_\t_\t_\n"
    words = [("The", "DET", "DT"), ("dog", "NOUN", "NN"), ("sleeps", "VERB", "VBZ")]
    blocks = [
        "".join(row.format(i, f"{w}{n if i == 2 else ''}", upos, xpos) for i, (w, upos, xpos) in enumerate(words, 1))
        for n in range(40)
    ]
    (folder / "tree.conllu").write_text("\n".join(blocks), encoding="utf-8")
    output = trained("tagger", "tree.conllu", *QUICK)
    assert "linear model (upos)" in output
    assert "linear model (xpos)" in output
    bundle = load_bundle(folder / "models" / "tree")
    assert bundle.manifest.labels == {"upos": ("DET", "NOUN", "VERB"), "xpos": ("DT", "NN", "VBZ"), "entity": ("O",)}


def test_a_translator_of_one_s_own_translates(folder):
    pairs = [f"{source}\t{german(source)}" for source in SENTENCES] + [
        f"A dog runs {n} times.\tEin Hund rennt {n} mal." for n in range(120)
    ]
    (folder / "pairs.tsv").write_text("en\tde\n" + "\n".join(pairs) + "\n", encoding="utf-8")
    # With less, a busy machine leaves the network so little that int8 agrees with it on no example.
    output = trained("translator", "pairs.tsv", *QUICK, "--minutes", "0.12")
    assert "pairs.tsv: en-de, the first column is the source" in output
    assert "translation memory" in output
    bundle = load_bundle(folder / "models" / "pairs")
    translator = open_translator(bundle)
    (found,) = translator.translate(["A dog sleeps."], TranslateOptions(pair=LanguagePair("en", "de")))
    assert isinstance(found[0].text, str)
    assert (folder / "models" / "pairs" / "report" / "curve.png").is_file()


def test_a_language_model_of_one_s_own_writes(folder):
    halves = [f"{who} of house {n} is {what}" for n in range(150) for who in ("cat", "dog") for what in ("in", "out")]
    lines = [f"The {half} today." for half in halves]
    (folder / "letters.txt").write_text("\n".join(lines), encoding="utf-8")
    output = trained("language-model", "letters.txt", *[each for each in QUICK if each not in ("--start", "none")])
    assert "600 texts (lines)" in output
    assert "Kneser-Ney" in output
    model = LanguageModelBundle.open(folder / "models" / "letters")
    assert model.manifest.task == "generate"
    assert len(model.greedy("The ", 5).ids) > 0
    assert (folder / "models" / "letters" / "report" / "learning-curve.png").is_file()


GOOD_AND_BAD = "hello,good\nbye,bad\n" * 9
BAD_TABLES = {
    "text,label\n": "has a header and no row behind it",
    "": "is empty",
    "text,label\n" + "hello,good\n" * 9: "all 9 texts have the label 'good'",
    "text,label\nhello,good\nwell, well,bad\nbye,bad\n": "line 3: 3 cells where the other rows have 2",
    f"text,label\n{GOOD_AND_BAD}odd,rare\n": "'rare' has 1 example (line 20)",
}


@pytest.mark.parametrize(("content", "reason"), BAD_TABLES.items(), ids=range(len(BAD_TABLES)))
def test_bad_data_get_a_sentence_and_exit_code_2(folder, content, reason):
    (folder / "bad.csv").write_text(content, encoding="utf-8")
    assert reason in said(ribbon_train("classifier", "bad.csv", *QUICK))
    assert not (folder / "models").exists()


def test_bad_options_get_a_sentence_and_exit_code_2(folder):
    assert "missing.csv does not exist" in said(ribbon_train("classifier", "missing.csv"))
    shipped = ribbon_train("classifier", TICKETS, "--name", "en-tagger")
    assert "en-tagger is the name of a model that ships" in said(shipped)
    assert "needs other letters" in said(ribbon_train("classifier", TICKETS, "--name", "My model"))
    assert "no column 'queues' for --label-column" in said(
        ribbon_train("classifier", TICKETS, "--label-column", "queues")
    )
    said(ribbon_train("classifier", TICKETS, "--minutes", "0"))
    (folder / "no-bundle").mkdir()
    assert "no-bundle is no" in said(ribbon_train("classifier", TICKETS, "--start", "no-bundle", "--threads", 1))


def test_every_command_tells_how_to_use_it():
    assert "classifier" in ribbon_train("--help").output
    for command in ("classifier", "tagger", "translator", "language-model"):
        result = ribbon_train(command, "--help")
        assert result.exit_code == 0
        assert f"ribbon train {command}" in result.output
