from __future__ import annotations

import pytest

from service.text.tokenizer import words_of
from training.corpora.amounts import amount_spans


def found(words):
    return [f"{' '.join(words[span.start : span.end])} {span.label}" for span in amount_spans(words)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a $ 3 million deal", ["$ 3 million MONEY"]),
        ("20 percent of it", ["20 percent PERCENT"]),
        ("up 3.5 % today", ["3.5 % PERCENT"]),
        ("€ 5 or US$ 1,000.50", ["€ 5 MONEY", "US$ 1,000.50 MONEY"]),
        ("about 3 billion dollars more", ["3 billion dollars MONEY"]),
        ("£ 5bn", ["£ 5bn MONEY"]),
        ("from 5 to 10 percent", ["10 percent PERCENT"]),
        ("$ 5 euros", ["$ 5 euros MONEY"]),
        ("twenty - five per cent", ["twenty - five per cent PERCENT"]),
        ("half a million pounds", ["half a million pounds MONEY"]),
        ("millions of euros", ["millions of euros MONEY"]),
        ("300 Swiss francs", ["300 Swiss francs MONEY"]),
        ("one hundred and fifty dollars", ["one hundred and fifty dollars MONEY"]),
        ("3 percentage points", ["3 percentage points PERCENT"]),
        ("200 pounds of flour", []),
        ("20 people in 1998", []),
        ("million dollars", []),
        ("the $ fell", []),
        ("$", []),
        ("$ $ 5", ["$ 5 MONEY"]),
        ("€5", []),  # one token to the eye alone: the tokenizer always cuts it
        ("", []),
    ],
)
def test_an_amount_is_a_sign_before_a_number_or_a_unit_behind_one(text, expected):
    assert found(text.split()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A$20", ["A $ 20 MONEY"]),
        ("-$5", ["- $ 5 MONEY"]),
        ("5€", ["5 € MONEY"]),
        ("5 USD", ["5 USD MONEY"]),
        ("₹500", ["₹ 500 MONEY"]),
        ("five dollars", ["five dollars MONEY"]),
        ("20 %", ["20 % PERCENT"]),
        ("HK$40, Rs. 500 and CHF 20", ["HK $ 40 MONEY", "Rs . 500 MONEY", "CHF 20 MONEY"]),
        ("$5-10", ["$ 5 - 10 MONEY"]),
        ("It fell by -3%.", ["- 3 % PERCENT"]),
        ("a self-service $5 meal", ["$ 5 MONEY"]),
        ("1024 bytes, room 204, 3-2", []),
    ],
)
def test_amounts_as_the_tokenizer_cuts_them(text, expected):
    assert found(words_of(text)) == expected
