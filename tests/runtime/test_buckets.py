"""Few shapes for many sizes, and nothing of the padding in an answer."""

from __future__ import annotations

import numpy as np
import pytest

from service.runtime.buckets import cut, next_power_of_two, next_time, padded, sizes_of

IDS, LENGTHS = ["batch", "time", 3], ["batch"]


@pytest.mark.parametrize(("size", "rounded"), [(0, 1), (1, 1), (2, 2), (3, 4), (5, 8), (64, 64), (65, 128)])
def test_rows_are_powers_of_two(size: int, rounded: int) -> None:
    assert next_power_of_two(size) == rounded


@pytest.mark.parametrize(
    ("size", "rounded"), [(1, 16), (16, 16), (17, 32), (128, 128), (129, 144), (257, 288), (1025, 1152), (2048, 2048)]
)
def test_times_are_multiples_of_sixteen_and_coarser_for_long_rows(size: int, rounded: int) -> None:
    assert next_time(size) == rounded


def test_no_row_grows_by_more_than_an_eighth_once_it_is_long_and_there_are_few_lengths() -> None:
    sizes = range(128, 4097)
    assert all(size <= next_time(size) <= 1.125 * size for size in sizes)
    assert len({next_time(size) for size in range(1, 4097)}) <= 48


def test_padding_is_zeros_and_a_row_of_padding_has_a_token() -> None:
    ids, lengths = np.ones((3, 5, 3), np.int32), np.array([5, 2, 1], np.int32)
    larger = padded("ids", ids, IDS)
    assert larger.shape == (4, 16, 3)
    assert larger.sum() == ids.sum()
    np.testing.assert_array_equal(larger[:3, :5], ids)
    np.testing.assert_array_equal(padded("lengths", lengths, LENGTHS), [5, 2, 1, 1])


def test_what_fits_already_is_not_copied() -> None:
    ids = np.ones((4, 16, 3), np.int32)
    assert padded("ids", ids, IDS) is ids


def test_what_is_not_contiguous_is_laid_out_anew() -> None:
    transposed = np.arange(4 * 16 * 3, dtype=np.int32).reshape(3, 16, 4).T
    assert padded("ids", transposed, IDS).flags.c_contiguous
    np.testing.assert_array_equal(padded("ids", transposed, IDS), transposed)


def test_axes_without_a_rule_stay_as_they_are() -> None:
    array = np.ones((3, 5), np.float32)
    assert padded("state", array, ["other", None]).shape == (3, 5)


def test_an_output_is_cut_by_the_names_of_its_axes() -> None:
    inputs = {"ids": np.zeros((3, 5, 3)), "lengths": np.zeros(3)}
    sizes = sizes_of(inputs, {"ids": IDS, "lengths": LENGTHS})
    assert sizes == {"batch": 3, "time": 5}
    output = np.arange(4 * 16 * 2).reshape(4, 16, 2)
    np.testing.assert_array_equal(cut(output, ["batch", "time", 2], sizes), output[:3, :5])
    assert cut(output, ["candidate", "time", None], sizes).shape == (4, 5, 2)
