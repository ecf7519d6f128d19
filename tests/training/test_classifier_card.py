from __future__ import annotations

import pytest

pytest.importorskip("torch")

from training.classifier_card import TRAINED_ON, corpora_of, figure_text, start_text, weakness_text
from training.classifier_run import ClassifierRun
from training.config import FitConfig
from training.corpora.terms import CLASSIFIER_CORPORA
from training.corpora.text_tasks import TASKS
from training.evaluation import Accuracy
from training.minimal_pairs import PairsReport
from training.networks.classifier import ClassifierConfig


def config(**choices) -> ClassifierRun:
    fit = FitConfig(num_epochs=1, learning_rate=1e-3)
    return ClassifierRun(**{"name": "made-up", "version": "1", "task": "irony", "fit": fit, **choices})


def uses_of(run: ClassifierRun) -> dict[str, str]:
    """By the key in ``terms.py``."""
    keys = {corpus["name"]: key for key, corpus in CLASSIFIER_CORPORA.items()}
    return {keys[corpus["name"]]: corpus["use"] for corpus in corpora_of(run)}


def test_every_task_says_what_its_classes_were_learned_from():
    assert set(TRAINED_ON) == set(TASKS)
    for task in TASKS:
        assert set(uses_of(config(task=task))) == set(TRAINED_ON[task])


def test_everything_that_a_run_started_from_is_named():
    assert uses_of(config(task="sst5", pretrained="runs/a-language-model", labelled={"sentences": "x.tsv"})) == {
        "sst": "classes; classes, by the teacher too",
        "imdb": "pretraining",
        "imdb-unsup": "pretraining; text for the teacher to label",
        "glove": "pretraining",
        "minilm": "a teacher; no weight of it is passed on",
    }


def test_of_a_classifier_that_a_run_started_from_all_corpora_are_named():
    assert set(uses_of(config(pretrained="runs/en-sentiment"))) >= {"irony", "sst", "imdb"}


def test_tweets_are_what_a_teacher_of_tweets_labels():
    uses = uses_of(config(word_vectors=True, labelled={"sentences": "x.tsv"}))
    assert set(uses) == {"irony", "emotion", "offensive", "glove", "minilm"}
    assert uses["irony"] == "classes; text for the teacher to label"


def test_the_recipe_tells_what_was_done_and_nothing_else():
    assert start_text(config()) == ""
    text = start_text(config(pretrained="runs/a-language-model", word_vectors=True))
    assert "the language model `a-language-model`" in text
    assert "GloVe" not in text
    assert "GloVe" in start_text(config(word_vectors=True))


def test_the_recipe_tells_how_much_of_another_run_it_began_with():
    networks = (ClassifierConfig(hidden_size=size) for size in (384, 256))
    same, other = (config(pretrained="runs/en-reviews-lm", network=network) for network in networks)
    assert start_text(same).startswith("Words and layers")
    assert start_text(other).startswith("The word table")
    assert "an earlier run, `en-sentiment-first`" in start_text(config(pretrained="runs/en-sentiment-first"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("test_sst2_accuracy", "SST-2 test: accuracy"),
        ("irony_f1_irony", "TweetEval irony dev: F1 of irony"),
        ("imdb_ece_uncalibrated", "IMDB dev: expected calibration error without the temperature"),
        ("minimal_pairs_both", "minimal pairs: both texts of a pair"),
    ],
)
def test_figures_have_words(name, text):
    assert figure_text(name) == text


def pairs(**correct: int) -> PairsReport:
    whole = Accuracy(correct=10, total=10)
    by_phenomenon = {name: Accuracy(correct=count, total=10) for name, count in correct.items()}
    return PairsReport(texts=whole, pairs=whole, order_only=whole, by_phenomenon=by_phenomenon)


def test_weaknesses_are_what_was_measured():
    text = weakness_text(pairs(scope=4, negation=10, contrast=7))
    assert "scope (4 of 10), contrast (7 of 10)." in text
    assert "negation" not in text
    assert weakness_text(pairs(scope=10)) == ""
