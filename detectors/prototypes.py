"""Prototypes: what a detector that must compare with its training rows keeps in their place.

Each is the mean of at least `CELL` like rows (microaggregation, Domingo-Ferrer & Mateo-Sanz, TKDE 2002), so that no
training row is in a model bundle, and the lone oddity of the training months is not there to excuse the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL = 5
LIMIT = 128  # prototypes a peer group: more cost time and find no more


def prototypes(z: NDArray[np.float64], *, limit: int = LIMIT) -> NDArray[np.float64]:
    """At most `limit` means of at least `CELL` rows of `z` each: it is halved where it differs most, and again.

    The halves are of equal size, so that the prototypes lie as densely as the rows did.
    """
    least = max(CELL, -(-z.shape[0] // limit))
    waiting, means = [z], list["NDArray[np.float64]"]()
    while waiting:
        cell = waiting.pop()
        half = cell.shape[0] // 2
        if half < least:
            means.append(cell.mean(axis=0))
            continue
        widest = int(np.argmax(cell.var(axis=0)))
        cell = cell[np.argsort(cell[:, widest], kind="stable")]
        waiting += [cell[half:], cell[:half]]
    return np.array(means, dtype=np.float64).round(9)  # a mean of equal rows is that row, to the last bit
