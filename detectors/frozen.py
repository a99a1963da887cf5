"""Small learned tables as named arrays and back, bit for bit: what a detector keeps instead of training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def frame_arrays(prefix: str, frame: pl.DataFrame) -> dict[str, NDArray[Any]]:
    """One array a column, called `prefix/column`. Text columns become fixed-width text; nothing may be null."""
    return {f"{prefix}/{name}": _array(frame[name]) for name in frame.columns}


def frame_of(arrays: Mapping[str, NDArray[Any]], prefix: str, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """The frame that `frame_arrays` took apart."""
    return pl.DataFrame(
        {name: pl.Series(name, arrays[f"{prefix}/{name}"].tolist(), dtype=kind) for name, kind in schema.items()},
        schema=dict(schema),
    )


def _array(column: pl.Series) -> NDArray[Any]:
    if column.dtype == pl.String():
        return np.array(column.to_list(), dtype=np.str_)
    return column.to_numpy()
