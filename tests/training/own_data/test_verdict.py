from __future__ import annotations

import pytest

pytest.importorskip("torch")

from training.own_data.verdict import compare, compare_spans, sign_test


def answers(right: int, of: int) -> list[bool]:
    return [place < right for place in range(of)]


def test_a_sign_test_is_that_of_a_fair_coin():
    assert sign_test(0, 0) == 1
    assert sign_test(5, 5) == 1
    assert sign_test(0, 6) == pytest.approx(2 / 64)
    assert sign_test(8, 2) == sign_test(2, 8) == pytest.approx(2 * (1 + 10 + 45) / 1024)


def test_a_clear_win_a_tie_and_a_loss_are_told_apart():
    win = compare(answers(1900, 2000), answers(1700, 2000), name="SVM")
    assert win.text == "The network is better: network 95.0 %, SVM 85.0 %."
    assert not win.baseline_is_as_good
    tie = compare(answers(1700, 2000), answers(1700, 2000), name="SVM")
    assert tie.text == "The baseline is as good: network 85.0 %, SVM 85.0 %."
    assert tie.baseline_is_as_good
    loss = compare(answers(1700, 2000), answers(1900, 2000), name="SVM")
    assert loss.text.startswith("The baseline is better: network 85.0 %, SVM 95.0 %. It is simpler")


def test_a_difference_that_may_be_chance_is_no_win():
    found = compare(answers(45, 50), answers(43, 50), name="SVM")
    assert found.text.startswith("The baseline is as good: network 90.0 %, SVM 86.0 %; chance alone")
    assert found.text.endswith("With 50 test examples a figure is known to about ±14 points.")
    assert "(the difference may be chance)" in compare(answers(43, 50), answers(45, 50), name="SVM").text


def test_spans_are_compared_by_f1_over_sentences():
    gold = [{("PER", i, i + 1)} for i in range(300)]
    half = [spans if i % 2 else set() for i, spans in enumerate(gold)]
    win = compare_spans(gold, gold, half, name="linear model")
    assert win.network == 100
    assert win.baseline == pytest.approx(200 / 3)
    assert win.text == "The network is better: network 100.0 % F1, linear model 66.7 % F1."
    assert compare_spans(gold, half, half, name="linear model").baseline_is_as_good
    assert compare_spans(gold, [set() for _ in gold], half, name="linear model").network == 0
