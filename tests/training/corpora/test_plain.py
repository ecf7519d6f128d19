from __future__ import annotations

from training.corpora import plain


def test_tatoeba_gives_each_english_sentence_once(tmp_path):
    for pair, rows in (("en-es", "Hi, Ann!\tHola\nGo.\tVe\n"), ("en-de", "Go.\tGeh\n"), ("en-fr", "Go.\tVa\n")):
        (tmp_path / "tatoeba" / pair).mkdir(parents=True)
        (tmp_path / "tatoeba" / pair / "train.tsv").write_text(rows, encoding="utf-8")
    sentences = [" ".join(words) for words in plain.read_tatoeba_english(tmp_path)]
    assert sentences == ["Go .", "Hi , Ann !"]


def test_hard_wrapped_paragraphs_are_joined_and_cut_into_sentences(tmp_path):
    (tmp_path / "war-and-peace").mkdir()
    text = "“Well, Prince,\nshe said.\nAnd she\ncoughed.\n\nCHAPTER II\n"
    (tmp_path / "war-and-peace" / "warandpeace.txt").write_text(text, encoding="utf-8")
    sentences = [" ".join(words) for words in plain.read_war_and_peace(tmp_path)]
    assert sentences[-1] == "CHAPTER II"
    assert "And she coughed ." in sentences
