from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.text.pipeline import pad

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=6)


@given(LENGTHS, st.sampled_from([(), (3,)]))
def test_rows_are_laid_under_one_another_and_padded_with_noughts(lengths, feature):
    rows = [np.full((length, *feature), i + 1, np.int32) for i, length in enumerate(lengths)]
    batch = pad(rows)
    assert batch.ids.shape == (len(rows), max(lengths), *feature)
    assert batch.ids.dtype == batch.lengths.dtype == np.int32
    assert batch.lengths.tolist() == lengths
    for padded, row in zip(batch.ids, rows, strict=True):
        assert (padded[: len(row)] == row).all()
        assert not padded[len(row) :].any()
