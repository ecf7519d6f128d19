from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.pipeline import MASK, PAD, UNK, UNK_ID, Vocabulary, dump_vocabularies, load_vocabularies

# Without lone surrogates: they cannot be written as UTF-8, and no corpus that was read from UTF-8 holds any.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TOKENS = st.lists(TEXTS.filter(lambda text: text not in (PAD, UNK, MASK)), unique=True)


@given(TOKENS)
def test_ids_are_places_behind_the_special_tokens(tokens):
    vocabulary = Vocabulary.of(tokens)
    assert [vocabulary.tokens[vocabulary.encode(token)] for token in tokens] == tokens
    assert {vocabulary.encode(token) for token in tokens} == set(range(3, len(vocabulary)))


@given(TOKENS)
def test_what_is_written_is_read_back(tmp_path_factory, tokens):
    path = tmp_path_factory.mktemp("vocabulary") / "vocabularies.json"
    dump_vocabularies({"words": Vocabulary.of(tokens), "none": Vocabulary.of([])}, path)
    assert load_vocabularies(path)["words"].tokens == Vocabulary.of(tokens).tokens
    assert len(load_vocabularies(path)["none"]) == 3


@pytest.mark.parametrize("word", ["<pad>", "<unk>", "<mask>", "never seen"])
def test_special_tokens_spelt_in_a_text_are_unknown_words(word):
    assert Vocabulary.of(["a", "<mask>"]).encode(word) == UNK_ID


@pytest.mark.parametrize("content", ['["a"]', '{"words": ["a", "b"]}', "3", "no JSON", '{"words": ["<pad>"]}'])
def test_anything_else_is_refused(tmp_path, content):
    (tmp_path / "vocabularies.json").write_text(content)
    with pytest.raises(ValueError, match=r"."):
        load_vocabularies(tmp_path / "vocabularies.json")


def test_a_token_twice_is_refused():
    with pytest.raises(ValueError, match="once"):
        Vocabulary.of(["a", "b", "a"])
