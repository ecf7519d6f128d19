from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from tests.training.classifier.small_tasks import config
from training.classifier.card import OPEN, classifier_card, corpora_of, licence_of, recipe_text, terms_of
from training.classifier.config import TeacherConfig
from training.classifier.publish import groups_of, manifest_of
from training.config import FitConfig
from training.corpora.labelled_text import text_corpora
from training.networks.classifier import Classifier

LABELS = ("ham", "spam")
TEACHER = TeacherConfig(fit=FitConfig(num_epochs=1, learning_rate=1e-3))


def uses_of(run) -> dict[str, str]:
    """The use of each corpus, by its name in the list of corpora."""
    names = {corpus.title: name for name, corpus in text_corpora().items()}
    return {names.get(corpus["name"], corpus["name"]): corpus["use"] for corpus in corpora_of(run)}


def test_everything_that_a_run_learned_from_is_named():
    assert uses_of(config(word_vectors=False)) == {"spam/sms": "labels"}
    run = config(corpora=("spam/sms", "spam/email"), plain={"ham": 10}, teacher=TEACHER)
    assert uses_of(run) == {
        "spam/sms": "labels",
        "spam/email": "labels",
        "plain": "plain statements and questions, learned as ham",
        "vader": "choice of plain text",
        "glove": "word vectors to begin with",
        "taught": "text for the teacher to label",
        "minilm": "the teacher's pretrained weights; none is passed on",
    }
    assert uses_of(config(teacher=TEACHER))["vader"] == "names of emoji"
    assert "single words" in uses_of(config(corpora=("sentiment-general",)))["vader"]


def test_the_terms_of_a_model_are_the_strictest_of_its_corpora():
    assert licence_of(corpora_of(config())) == OPEN
    text = licence_of(corpora_of(config(corpora=("spam/sms", "tweeteval/irony"))))
    assert text.startswith("research use: terms of TweetEval irony")
    assert "SMS" not in text


def test_a_corpus_of_one_s_own_has_terms_that_nobody_stated():
    (corpus,) = corpora_of(config(corpora=("mine/news",), word_vectors=False))
    assert (corpus["name"], corpus["licence"], corpus["commercial_use"]) == ("mine/news", "not stated", False)


def manifest(run, metrics=None, **choices):
    precisions = {name: metrics or {"spam_sms_accuracy": 50.0} for name in ("fp32", "int8")}
    fields = {"config": run, "labels": LABELS, "terms": terms_of(run), "groups": {}, "precisions": precisions}
    return manifest_of(**fields, metrics={"temperature": 1.5}, **choices)


@pytest.mark.parametrize(
    ("corpora", "allowed"), [(("spam/sms",), True), (("tweeteval/irony", "spam/sms", "mine"), False)]
)
def test_a_manifest_says_whether_commercial_use_is_allowed_once(corpora, allowed):
    found = manifest(config(corpora=corpora, plain={"ham": 1}))
    assert found["commercial_use"] is allowed
    assert all(set(corpus) == {"name", "use", "licence", "source"} for corpus in found["corpora"])


def card(run, metrics=None, **choices) -> str:
    network = Classifier(num_words=5, num_labels=2, config=run.network)
    found = manifest(run, metrics, **choices)
    return classifier_card(
        found,
        config=run,
        network=network,
        recipe=recipe_text(found, run),
        difference=2e-7,
        sizes={"model.onnx": 2_500_000},
    )


def test_a_card_tells_what_was_done_and_nothing_else():
    text = card(config(word_vectors=False))
    assert text.startswith("# made-up 1\n\nMade up. Labels: ham, spam.\n")
    assert "Seed 1. The epoch and the temperature (1.500) were chosen on the dev sets; the corpora have no test" in text
    assert "| `model.onnx` | 2.50 |" in text
    assert "| `spam_sms_accuracy` | 50.00 | 50.00 |" in text
    for absent in ("GloVe", "MiniLM", "classifier.teacher", "several labels", "--split test"):
        assert absent not in text


def test_a_card_tells_of_teacher_thresholds_and_test_sets():
    run = config(teacher=TEACHER, multi_label=True)
    text = card(run, {"spam_sms_macro_f1": 50.0, "test_spam_sms_macro_f1": 40.0}, thresholds={"ham": 0.3, "spam": 0.4})
    assert "A text may have several labels, or none." in text
    assert "The epoch, the temperature (1.500) and the threshold of each label were chosen" in text
    assert "the test sets were read once, for this card." in text
    assert "The word table began with GloVe's vectors. A MiniLM" in text
    assert (
        "python -m training.classifier.teacher training/configs/made-up.toml\npython -m training.classifier.train"
        in text
    )
    assert "python -m training.classifier.evaluate models/made-up --split test" in text


def test_a_card_tells_of_a_start_its_share_and_more_words():
    text = card(config(starts_from="0.9", start_share=0.25, more_words=20_000))
    assert "from the weights of version 0.9" in text
    assert "20,000 words more than that version knew" in text
    assert "25% are that version's" in text
    assert "words replaced" not in text


def test_groups_keep_the_order_of_labels_and_leave_out_those_without_one(data_dir):
    labels = ("oos", "transfer", "balance")
    assert groups_of("intents/clinc150/domains", labels, data_dir) == {"banking": ["transfer", "balance"]}
