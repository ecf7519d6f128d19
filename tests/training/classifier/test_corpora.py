from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("vaderSentiment")

from tests.training.classifier.small_tasks import TASKS, config, labelled, task_of
from tests.training.corpora.made_up_texts import HELD_OUT, RATED, text_of, write, write_corpora
from training.classifier.corpora import at_most, held_out_texts, labels_of, rated_words, read_sets, read_training
from training.corpora.labelled_text import polarity_target
from training.corpora.text_key import key_of


@pytest.mark.parametrize("task", TASKS)
def test_nothing_is_learned_from_what_is_measured_on(data_dir, tmp_path, task):
    run = task_of(tmp_path, task)
    held_out = set(map(key_of, held_out_texts(run, data_dir)))
    learned = [text for part in read_training(run, data_dir).values() for text in part]
    assert len(learned) > 20
    assert held_out.isdisjoint(key_of(text.text) for text in learned if key_of(text.text))
    num_labels = len(labels_of(run, data_dir))
    assert all(len(text.target) == num_labels and 0 < sum(text.target) <= 2 for text in learned)


def test_plain_text_that_is_measured_on_is_left_out_too(tmp_path):
    write_corpora(tmp_path)
    run = task_of(tmp_path, "sentiment")
    plain = read_training(run, tmp_path)["plain neutral"]
    with (tmp_path / "sentiment-general" / "dev.tsv").open("a", encoding="utf-8") as file:
        file.write(f"neutral\treddit\t{plain[0].text.upper()}\n")
    assert plain[0] not in read_training(run, tmp_path)["plain neutral"]


def test_plain_text_has_the_label_that_the_configuration_gives_it(data_dir, tmp_path):
    sets = read_training(task_of(tmp_path, "sentiment"), data_dir)
    assert set(sets) == {"sentiment-general", "plain neutral"}
    assert {text.target for text in sets["plain neutral"]} == {(0.0, 1.0, 0.0)}


def sentiment_of(data_dir, tmp_path, **choices):
    return {
        text.text: text
        for text in read_training(task_of(tmp_path, "sentiment"), data_dir, **choices)["sentiment-general"]
    }


def test_ratings_become_soft_targets(data_dir, tmp_path):
    found = sentiment_of(data_dir, tmp_path)
    assert found[text_of("positive", "train", 2)].target == polarity_target(2.5)
    assert found[text_of("positive", "train", 3)].target == (0.0, 0.0, 1.0)


def test_rated_texts_without_a_label_are_learned_unless_they_are_measured_on(data_dir, tmp_path):
    found = sentiment_of(data_dir, tmp_path)
    assert found[RATED].target == polarity_target(-3)
    assert found[RATED].source == "tweets"
    assert HELD_OUT not in found


def test_pros_and_cons_that_say_nothing_are_left_out(data_dir, tmp_path):
    found = sentiment_of(data_dir, tmp_path)
    assert found["great price"].target == (0.0, 0.0, 1.0)
    assert "None." not in found


def test_a_text_without_letters_is_kept(data_dir, tmp_path):
    assert "👍" in sentiment_of(data_dir, tmp_path)


def test_words_of_the_list_have_the_side_of_their_rating():
    targets = {text.text: text.target for text in rated_words()}
    assert int(np.argmax(targets["awful"])) == 0
    assert int(np.argmax(targets[":)"])) == 2
    assert len(targets) > 7000


def test_a_source_has_as_many_texts_as_its_limit(data_dir, tmp_path):
    found = sentiment_of(data_dir, tmp_path)
    assert sum(text.source == "words" for text in found.values()) == 30


def test_a_limit_takes_a_random_choice_in_order_and_the_same_one_for_a_seed():
    texts = [*labelled(*((str(i), 0) for i in range(50)), source="long"), *labelled(("x", 1), ("y", 1), source="short")]
    kept = at_most(texts, {"long": 10, "short": 5}, np.random.default_rng(0))
    assert len(kept) == 12
    assert [text for text in texts if text in kept] == kept
    assert kept[:10] != texts[:10]
    assert kept == at_most(texts, {"long": 10, "short": 5}, np.random.default_rng(0))


def test_sources_that_are_left_out_give_no_training_text_and_stay_in_dev(data_dir, tmp_path):
    found = sentiment_of(data_dir, tmp_path, leave_out=["tweets", "pros-cons", "words"])
    assert {text.source for text in found.values()} == {"reddit"}
    (dev,) = read_sets(task_of(tmp_path, "sentiment"), "dev", data_dir)
    assert {text.source for text in dev.texts} == {"reddit", "tweets"}


def test_labels_are_those_of_the_configuration_or_of_the_training_files(data_dir, tmp_path):
    assert labels_of(task_of(tmp_path, "sentiment"), data_dir) == ("negative", "neutral", "positive")
    assert labels_of(task_of(tmp_path, "intent"), data_dir) == ("balance", "oos", "transfer", "weather")
    several = config(corpora=("goemotions",), multi_label=True)
    assert labels_of(several, data_dir) == ("anger", "joy", "neutral")


def test_each_corpus_is_a_set_of_its_own_and_sentiment_has_no_test_set(data_dir, tmp_path):
    run = config(corpora=("spam/sms", "mine"), labels=("ham", "spam"))
    write_corpora(tmp_path)
    for part in ("train", "dev", "test"):
        write(tmp_path / "mine" / f"{part}.tsv", "ham\tHello.\nspam\tWin!\n")
    assert [(part.name, len(part.texts)) for part in read_sets(run, "test", tmp_path)] == [("spam/sms", 8), ("mine", 2)]
    assert read_sets(task_of(tmp_path, "sentiment"), "test", data_dir) == []


def test_tweets_have_labels_of_their_own_form(data_dir, tmp_path):
    (test,) = read_sets(task_of(tmp_path, "irony"), "test", data_dir)
    assert [text.label for text in test.texts[:2]] == [0, 1]
    assert "&" in test.texts[0].text
