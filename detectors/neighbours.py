"""Distances to the nearest reference vectors, to the last bit the same whatever rows are asked together.

Libraries go by matrix products, whose last bits depend on the shape of the batch; here each pair is summed over the
features in their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 256  # rows at once: the distances of a block stay in the processor's cache


def nearest(
    z: NDArray[np.float64], reference: NDArray[np.float64], k: int
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The Euclidean distances to the `k` nearest rows of `reference` (fewer, if it has fewer), nearest first; which."""
    k = min(k, reference.shape[0])
    columns = np.ascontiguousarray(reference.T, dtype=np.float32)
    asked = z.astype(np.float32)
    distance = np.empty((z.shape[0], k))
    which = np.empty((z.shape[0], k), dtype=np.intp)
    for start in range(0, z.shape[0], BLOCK):
        block = asked[start : start + BLOCK]
        squares = np.zeros((block.shape[0], reference.shape[0]), dtype=np.float32)
        gap = np.empty_like(squares)
        for at, column in enumerate(columns):
            np.subtract(block[:, at, None], column, out=gap)
            np.multiply(gap, gap, out=gap)
            squares += gap
        near = np.argpartition(squares, k - 1, axis=1)[:, :k]
        values = np.take_along_axis(squares, near, axis=1)
        order = np.lexsort((near, values), axis=1)
        which[start : start + BLOCK] = np.take_along_axis(near, order, axis=1)
        distance[start : start + BLOCK] = np.sqrt(np.take_along_axis(values, order, axis=1).astype(np.float64))
    return distance, which
