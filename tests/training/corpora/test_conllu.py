from __future__ import annotations

from training.corpora.conllu import read_conllu

SAMPLE = """\
# newdoc id = one

# sent_id = 1
# text = Don't really go.
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVB\t_\t_\t_\t_\t_
2\tn't\tnot\tPART\tRB\t_\t_\t_\t_\t_
2.1\treally\treally\tADV\tRB\t_\t_\t_\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t_\t_\t_\tSpaceAfter=No
4\t.\t.\tPUNCT\t.\t_\t_\t_\t_\t_

1\t#\t#\tSYM\tNN\t_\t_\t_\t_\t_
"""


def test_words_and_tags_without_ranges_empty_nodes_and_comments(tmp_path):
    (tmp_path / "sample.conllu").write_text(SAMPLE, encoding="utf-8")
    first, second = read_conllu(tmp_path / "sample.conllu")
    assert first.words == ["Do", "n't", "go", "."]
    assert first.tags == {"upos": ["AUX", "PART", "VERB", "PUNCT"], "xpos": ["VB", "RB", "VB", "."]}
    assert second.words == ["#"]
