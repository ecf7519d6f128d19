"""Viterbi decoding: the best tag sequence among the legal ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]
Legal = npt.NDArray[np.bool_]  # (tag + 1, tag + 1), the last row is the begin, the last column the end
Path = npt.NDArray[np.intp]


def best_legal_path(scores: Scores, legal: Legal) -> Path:
    """Return the legal tag sequence of highest summed score; ``scores`` is (time, tag). Viterbi (1967)."""
    num_tags = scores.shape[1]
    barrier = np.where(legal, np.float32(0), np.float32(-np.inf))
    between = barrier[:num_tags, :num_tags]
    total = scores[0] + barrier[num_tags, :num_tags]
    parents = np.zeros(scores.shape, np.intp)
    for step in range(1, len(scores)):
        candidates = total[:, None] + between  # (from, to)
        parents[step] = candidates.argmax(axis=0)
        total = candidates.max(axis=0) + scores[step]
    path = np.empty(len(scores), np.intp)
    path[-1] = (total + barrier[:num_tags, num_tags]).argmax()
    for step in range(len(scores) - 1, 0, -1):
        path[step - 1] = parents[step, path[step]]
    return path


def decode_legal(scores: Scores, lengths: npt.NDArray[np.int32], legal: Legal) -> Path:
    """Return the best legal paths of a batch, (batch, time); ``scores`` is (batch, time, tag).

    Where the best tag of each step happens to make a legal sequence it is the best legal sequence, and nearly all are:
    only the other rows pay for Viterbi. Values behind a row's length are arbitrary.
    """
    edge = scores.shape[2]
    paths: Path = scores.argmax(axis=2)
    rows = np.arange(len(paths))
    fine = legal[paths[:, :-1], paths[:, 1:]]
    fine |= np.arange(1, paths.shape[1]) >= lengths[:, None]
    good = fine.all(axis=1) & legal[edge, paths[:, 0]] & legal[paths[rows, lengths - 1], edge]
    for row in np.flatnonzero(~good):
        length = lengths[row]
        paths[row, :length] = best_legal_path(scores[row, :length], legal)
    return paths
