"""Small working stand-ins: bundles of a few words, a session that looks words up, and a clock set by hand.

They enter by the doors the real ones use. A word's tags depend on the word alone and a text's class on the sum of
its words, so every answer is known.
"""

from __future__ import annotations

from tests.fakes.bundles import (
    CLASSIFIER,
    ENCODER,
    GRAPH,
    LANGUAGE_MODEL,
    MAX_NEW_TOKENS,
    MAX_PROMPT_TOKENS,
    MAX_SOURCE_TOKENS,
    MAX_TARGET_TOKENS,
    MAX_TOKENS,
    MULTI_LABEL,
    NAME,
    READER,
    STEP,
    TRANSLATOR,
    UNIT_STEP,
    VERSION,
    classified,
    classifier_manifest,
    damage,
    example,
    manifest,
    multi_label_manifest,
    settings_for,
    translated,
    translator_manifest,
    write_bundle,
    write_classifier,
    write_language_model,
    write_multi_label,
    write_translator,
)
from tests.fakes.clock import FakeClock
from tests.fakes.graphs import lexicon_graph, multi_label_graph, sentiment_graph
from tests.fakes.language import LIKELIEST, language_pieces, logprob_of_text
from tests.fakes.language_graphs import language_graphs
from tests.fakes.sessions import FakeEncoder, FakeMultiLabel, FakeSession, FakeStep, OpenFake
from tests.fakes.words import (
    CONFIDENCE,
    LABELS,
    LEXICON,
    MULTI_LABELS,
    NUM_CHARACTERS,
    THRESHOLDS,
    UPOS,
    XPOS,
    chosen_of,
    probabilities_of,
    probability_of,
    weights,
)
