"""A world thick with schemes, as typed frames: what the tests of signatures look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from data.synthetic import GenerateReport, generate

MOMENTS = ("ngay_vao", "ngay_vao_noi_tru", "ngay_ra", "ngay_yl", "ngay_th_yl", "ngay_kq", "thoi_diem_dbls")
NUMBERS = (
    "t_thuoc", "t_vtyt", "t_tongchi_bv", "t_tongchi_bh", "t_bntt", "t_bncct", "t_bhtt", "t_nguonkhac", "so_luong",
    "don_gia", "don_gia_bv", "don_gia_bh", "thanh_tien_bv", "thanh_tien_bh", "tyle_tt_dv", "tyle_tt_bh", "muc_huong",
    "can_nang", "so_ngay_dtri", "so_ngay_nghi",
)  # fmt: skip
KEY = ["ma_cskcb", "ma_lk"]


@dataclass(frozen=True)
class World:
    """One generated folder. `xml1` … `xml5`, `xml7`, `xml11`: rows with official names in lower case.

    Moments are datetimes, amounts and quantities floats, everything else text ("" where empty); every row also has
    `schemes`, `kind`, `intensity`, `decoy`, `improper_amount` of its claim.
    """

    folder: Path
    report: GenerateReport
    truth: pl.DataFrame
    entities: pl.DataFrame
    tables: dict[str, pl.DataFrame]

    def __getattr__(self, name: str) -> pl.DataFrame:
        if name not in self.tables:
            raise AttributeError(name)
        return self.tables[name]

    def of(self, scheme: str, table: str = "xml1") -> pl.DataFrame:
        """Rows of the claims that carry a scheme."""
        return self.tables[table].filter(pl.col("schemes").list.contains(scheme))

    def decoys(self, decoy: str, table: str = "xml1") -> pl.DataFrame:
        """Rows of the claims of a decoy."""
        return self.tables[table].filter(pl.col("decoy") == decoy)

    def honest(self, table: str = "xml1") -> pl.DataFrame:
        """Rows of claims without scheme or decoy."""
        return self.tables[table].filter((pl.col("schemes").list.len() == 0) & pl.col("decoy").is_null())

    def catalogue(self, name: str) -> pl.DataFrame:
        """A catalogue as text."""
        rows = pl.read_csv(self.folder / "catalogues" / f"{name}.csv", infer_schema=False)
        return rows.with_columns(pl.all().fill_null(""))


def thick_world(
    folder: Path,
    *,
    encounters: int = 24_000,
    months: int = 8,
    seed: int = 5,
    only: list[str] | None = None,
    thick: float = 5.0,
) -> World:
    """Generate and read back; five times the usual share of improper claims unless asked otherwise."""
    report = generate(folder, encounters=encounters, months=months, seed=seed, layout="parquet", thick=thick, only=only)
    truth = pl.read_parquet(folder / "truth" / "claims.parquet")
    tables: dict[str, pl.DataFrame] = {}
    for path in sorted((folder / "parquet").glob("*.parquet")):
        frame = pl.read_parquet(path)
        frame = frame.rename({name: name.lower() for name in frame.columns}).with_columns(pl.all().fill_null(""))
        frame = frame.with_columns(
            *(pl.col(c).str.to_datetime("%Y%m%d%H%M", strict=False) for c in MOMENTS if c in frame.columns),
            *(pl.col(c).cast(pl.Float64, strict=False) for c in NUMBERS if c in frame.columns),
        )
        tables[path.stem.lower()] = frame.join(truth.drop("is_fraud", "case_id"), on=KEY)
    return World(folder, report, truth, pl.read_parquet(folder / "truth" / "entities.parquet"), tables)
