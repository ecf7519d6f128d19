"""Small working stand-ins: bundles of a few words, a session that looks words up, and a clock set by hand.

They enter by the doors the real ones use. A word's tags depend on the word alone and a text's class on the sum of
its words, so every answer is known.
"""

from __future__ import annotations

from tests.fakes.bundles import (
    CLASSIFIER,
    ENCODER,
    GRAPH,
    MAX_SOURCE_TOKENS,
    MAX_TARGET_TOKENS,
    MAX_TOKENS,
    NAME,
    STEP,
    TRANSLATOR,
    VERSION,
    classified,
    classifier_manifest,
    damage,
    example,
    manifest,
    settings_for,
    translated,
    translator_manifest,
    write_bundle,
    write_classifier,
    write_translator,
)
from tests.fakes.clock import FakeClock
from tests.fakes.graphs import lexicon_graph, sentiment_graph
from tests.fakes.sessions import FakeEncoder, FakeSession, FakeStep, OpenFake
from tests.fakes.words import (
    CONFIDENCE,
    LABELS,
    LEXICON,
    NUM_CHARACTERS,
    UPOS,
    XPOS,
    probability_of,
    weights,
)
