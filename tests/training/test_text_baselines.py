from __future__ import annotations

import json

import pytest

from tests.training.corpora.made_up_texts import write_corpora
from training.corpora.labelled import LabelledText
from training.corpora.text_tasks import SENTIMENT, TextSet
from training.text_baselines import RECIPES, cut_set, fit, run_task, words_and_pairs

pytest.importorskip("sklearn")

TEXTS = [
    LabelledText(text=f"{word} film number {number}", label=label)
    for number in range(4)
    for word, label in (("Good", 1), ("Bad", 0), ("great", 1), ("awful", 0))
]


def test_pairs_are_of_neighbours():
    assert words_and_pairs(["not", "so", "bad"]) == ["not", "so", "bad", "not so", "so bad"]
    assert words_and_pairs(["bad"]) == ["bad"]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_baseline_learns_words_whatever_their_case(recipe):
    dev = cut_set(TextSet(name="dev", corpus="made up", texts=TEXTS))
    classifier, chosen = fit(recipe, TEXTS, [dev], SENTIMENT)
    assert classifier.predict(["a GOOD film", "a bad film", ""])[:2] == [1, 0]
    assert dev.score(classifier.predict_words(dev.rows), SENTIMENT).accuracy.value == 1.0
    assert chosen["strength"] in recipe.strengths
    assert classifier.size_bytes > 100


@pytest.mark.parametrize(("task", "sets"), [("sentiment", ["sst2", "imdb"]), ("irony", ["irony"])])
def test_a_task_gives_all_its_figures(tmp_path, task, sets):
    write_corpora(tmp_path)
    figures = run_task(task, tmp_path)
    json.dumps(figures)
    for system in figures["systems"].values():
        assert list(system["sets"]["dev"]) == list(system["sets"]["test"]) == list(system["texts_per_second"]) == sets
        assert (system["minimal_pairs"] is not None) == (task == "sentiment")
        assert system["train_seconds"] > 0
