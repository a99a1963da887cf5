"""What a facility's software spoils on every claim is kept from the detectors; what moves money never is."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from data.frames import read_claims
from data.lake import Lake
from data.schema import ClaimTables
from data.xml130 import read_envelope
from detectors.base import rules
from detectors.rulebook import run_rules
from tests.lib.envelopes import envelope, hoso, row, summary
from tests.lib.pipeline import KEY, RECEIVED, load, now

CLAIMS = 80
LINE = {
    "STT": "1",
    "MA_DICH_VU": "02.1896",
    "MA_NHOM": "13",
    "SO_LUONG": "1",
    "DON_GIA_BV": "500",
    "DON_GIA_BH": "500",
    "TYLE_TT_DV": "100",
    "TYLE_TT_BH": "100",
    "THANH_TIEN_BV": "500",
    "THANH_TIEN_BH": "500",
    "MUC_HUONG": "80",
    "T_BHTT": "400",
    "T_BNCCT": "100",
    "T_BNTT": "0",
}
FREE = {"THANH_TIEN_BV": "0", "THANH_TIEN_BH": "0", "T_BHTT": "0", "T_BNCCT": "0", "STT": "2"}


def services(*lines: dict[str, str]) -> str:
    rows = "".join(row("CHI_TIET_DVKT", line) for line in lines)
    return f"<CHITIEU_CHITIET_DVKT_VTYT><DSACH_CHI_TIET_DVKT>{rows}</DSACH_CHI_TIET_DVKT></CHITIEU_CHITIET_DVKT_VTYT>"


def visit(facility: str, number: int, *, dateless: bool = False, free: bool = False, inflated: bool = False) -> str:
    day = datetime(2025, 6, 1, 8) + timedelta(days=number)
    at = f"{day:%Y%m%d%H%M}"
    line = LINE | {"NGAY_YL": f"{day:%Y%m%d}" if dateless else at, "NGAY_TH_YL": at, "NGAY_KQ": at}
    if inflated:
        line |= {"THANH_TIEN_BV": "900", "THANH_TIEN_BH": "900", "T_BHTT": "720", "T_BNCCT": "180"}
    header = summary(
        f"{facility}-{number}", MA_CSKCB=facility, NGAY_VAO=at, NGAY_RA=f"{day + timedelta(hours=1):%Y%m%d%H%M}",
        MA_THE_BHYT=f"DN499{facility}{number:05d}", T_BNCCT="200", T_BNTT="0",
    )  # fmt: skip
    lines = [line, line | FREE] if free else [line]
    return hoso(("XML1", header), ("XML3", services(*lines)))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("masks")
    # the first facility's software loses the hour of the order and repeats lines for free from the 30th day on
    sent = [visit("99001", n, dateless=n >= 30, free=n >= 30 and n % 2 == 0) for n in range(CLAIMS)]
    sent += [visit("99002", n) for n in range(CLAIMS)]
    sent += [visit("99003", n, inflated=n >= 30) for n in range(CLAIMS)]
    sent += [visit("99004", n, dateless=n == 5, free=n == 6) for n in range(CLAIMS)]
    (folder / "all.xml").write_text(envelope(*sent))
    made = Lake(folder / "lake", clock=now)
    load(made, folder / "all.xml")
    return made


@pytest.fixture(scope="module")
def tables(lake: Lake) -> ClaimTables:
    with lake.reader() as reader:
        return reader.claim_tables()


def test_cells_and_rows_of_a_ticket_are_kept_from_detectors(lake: Lake, tables: ClaimTables) -> None:
    lines = tables.service_line.collect().to_native()
    first = lines.filter(ma_cskcb="99001")
    assert first.height == CLAIMS  # the free repeats are gone
    late = {f"99001-{n}" for n in range(30, CLAIMS)}
    blank = set(first.filter(first["ngay_yl"].is_null())["ma_lk"])
    assert blank == late
    assert first["t_bhtt"].null_count() == 0
    with lake.reader() as reader:  # the lake itself keeps what was sent
        kept = reader.pl("select count(*) as n, count(ngay_yl) as dated from service_line where ma_cskcb = '99001'")
    assert kept.row(0) == (CLAIMS + (CLAIMS - 30) // 2, CLAIMS + (CLAIMS - 30) // 2)


def test_a_single_slip_is_no_ticket(tables: ClaimTables) -> None:
    lines = tables.service_line.collect().to_native().filter(ma_cskcb="99004")
    assert lines.height == CLAIMS + 1
    assert lines["ngay_yl"].null_count() == 0


def test_an_amount_that_is_always_too_high_is_seen_by_detectors(tables: ClaimTables) -> None:
    lines = tables.service_line.collect().to_native().filter(ma_cskcb="99003")
    assert lines["thanh_tien_bv"].null_count() == 0
    assert (lines["thanh_tien_bv"] == 900).sum() == CLAIMS - 30


def test_rules_that_need_a_masked_cell_stand_aside(tables: ClaimTables) -> None:
    wanting = [r for r in rules() if "service_line.ngay_yl" in r.needs and not r.catalogues]
    assert wanting
    for run in run_rules(tables, wanting).runs:
        assert run.not_evaluable >= CLAIMS - 30
        assert run.hit + run.clear + run.not_evaluable == 4 * CLAIMS


def test_both_engines_mask_alike(lake: Lake, tables: ClaimTables, tmp_path: Path) -> None:
    del tmp_path
    with lake.reader() as reader:
        other = reader.claim_tables(engine="duckdb").service_line.collect("polars").to_native()
    mine = tables.service_line.collect().to_native()
    key = ["ma_cskcb", "ma_lk", "row_no"]
    assert other.sort(key).equals(mine.sort(key))


def test_a_claim_that_is_only_asked_about_is_masked_as_when_it_is_stored(lake: Lake, tables: ClaimTables) -> None:
    asked = [visit("99001", n, dateless=n >= 30, free=n >= 30 and n % 2 == 0) for n in (3, 40, 41)]
    content = read_envelope(io.BytesIO(envelope(*asked).encode()))
    claims = read_claims(content, key=KEY, received=RECEIVED).tables
    with lake.reader() as reader:
        other = reader.claim_tables("false", extra=claims).service_line.collect().to_native()
    stored = tables.service_line.collect().to_native().join(other, on=["ma_cskcb", "ma_lk"], how="semi")
    shown = ["ma_lk", "row_no", "ngay_yl", "t_bhtt"]
    assert other.height == 3
    assert other["ngay_yl"].null_count() == 2
    assert other.select(shown).sort("ma_lk").equals(stored.select(shown).sort("ma_lk"))
