"""The generator: the same bytes for a seed, money that adds up, truth that fits, schemes that are really there."""

from __future__ import annotations

import base64
import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from data.schema import fields, reference
from data.synthetic import GenerateReport, generate
from data.synthetic.diseases import acute, cancers, chronic, stays
from data.synthetic.world import drugs, services, supplies

Row = dict[str, str]
Key = tuple[str, str]
CENT = Decimal("0.01")
ROWS = {"XML1": "TONG_HOP", "XML2": "CHI_TIET_THUOC", "XML3": "CHI_TIET_DVKT", "XML4": "CHI_TIET_CLS"}


class Claim:
    """One HOSO read back."""

    def __init__(self, hoso: Any) -> None:
        self.tables: dict[str, list[Row]] = defaultdict(list)
        for part in hoso.iter("FILEHOSO"):
            name, content = part.findtext("LOAIHOSO") or "", part.find("NOIDUNGFILE")
            assert content is not None
            inner = content[0] if len(content) else etree.fromstring(base64.b64decode(content.text or ""))
            for row in inner.iter(ROWS.get(name, inner.tag)):
                self.tables[name].append({str(cell.tag): cell.text or "" for cell in row})
        self.head = self.tables["XML1"][0]
        self.key: Key = (self.head["MA_CSKCB"], self.head["MA_LK"])
        self.drugs, self.services = self.tables["XML2"], self.tables["XML3"]

    def beds(self) -> Decimal:
        return sum((Decimal(r["SO_LUONG"]) for r in self.services if r["MA_NHOM"] in {"14", "15", "16"}), Decimal(0))

    def nights(self) -> int:
        return (moment(self.head["NGAY_RA"]).date() - moment(self.head["NGAY_VAO_NOI_TRU"]).date()).days


class World:
    """A generated folder, read back."""

    def __init__(self, folder: Path, report: GenerateReport) -> None:
        self.folder, self.report = folder, report
        self.sent = 0
        self.claims: dict[Key, Claim] = {}
        for claim in read(folder):
            self.sent += 1
            self.claims[claim.key] = claim
        self.truth = pl.read_parquet(folder / "truth" / "claims.parquet")
        self.rows = {(r["ma_cskcb"], r["ma_lk"]): r for r in self.truth.iter_rows(named=True)}

    def of(self, scheme: str) -> list[Claim]:
        return [self.claims[key] for key, row in self.rows.items() if scheme in row["schemes"]]

    def honest(self) -> list[Claim]:
        return [self.claims[key] for key, row in self.rows.items() if not row["schemes"] and not row["decoy"]]


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M")  # noqa: DTZ007 - claims carry wall-clock times


def read(folder: Path) -> Iterator[Claim]:
    for file in sorted((folder / "xml").glob("*/*.xml")):
        for hoso in etree.parse(file).iter("HOSO"):
            yield Claim(hoso)


def digest(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def rounded(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def amount(row: Row, name: str) -> Decimal:
    return Decimal(row[name])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("synthetic")
    return World(folder, generate(folder, encounters=3000, months=12, seed=7))


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    first = generate(tmp_path / "a", encounters=300, months=3, seed=5)
    again = generate(tmp_path / "b", encounters=300, months=3, seed=5)
    generate(tmp_path / "c", encounters=300, months=3, seed=6)
    assert first == again
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_every_encounter_has_one_truth_row(world: World) -> None:
    assert world.report.encounters == world.truth.height == len(world.rows) == len(world.claims) == 3000
    assert set(world.rows) == set(world.claims)
    assert world.sent > 3000, "some claims are sent again once they are paid"
    assert world.report.drug_lines == sum(len(c.drugs) for c in world.claims.values())
    assert world.report.service_lines == sum(len(c.services) for c in world.claims.values())


def test_improper_shares_are_those_of_the_field(world: World) -> None:
    improper = world.truth.filter(pl.col("improper_amount") > 0)
    fund = sum((amount(c.head, "T_BHTT") for c in world.claims.values()), Decimal(0))
    assert 0.008 < improper.height / 3000 < 0.026  # campaigns are whole, so a small world may have a few too many
    share = sum(improper["improper_amount"].to_list()) / float(fund)
    assert 0.019 < share < 0.041
    assert share == pytest.approx(world.report.improper_share_of_money)
    kinds = Counter(world.truth["kind"].to_list())
    assert set(kinds) == {"fraud", "abuse", "error", "legit_outlier", "dirty", "normal"}
    assert kinds["legit_outlier"] + kinds["dirty"] < 150
    assert world.truth.filter(~pl.col("is_fraud"))["improper_amount"].sum() == 0


def test_nobody_is_paid_more_improperly_than_at_all(world: World) -> None:
    for key, row in world.rows.items():
        if "SPLIT_EPISODE" not in row["schemes"]:
            assert row["improper_amount"] <= float(amount(world.claims[key].head, "T_BHTT"))


def test_benefit_follows_card_route_and_threshold(world: World) -> None:
    salaries = [(r["valid_from"].replace("-", ""), int(r["luong_co_so_vnd"])) for r in reference("base_salary")]
    communes = {f["ma_cskcb"] for f in catalogue(world, "facilities") if f["kind"] == "commune"}
    for claim in world.honest():
        head, card = claim.head, claim.head["MA_THE_BHYT"]
        salary = [value for since, value in salaries if since <= head["NGAY_VAO"][:8]][-1]
        expected = {"1": 100, "2": 100, "3": 95, "4": 80, "5": 100}[card[2]]
        route = 40 if head["MA_DOITUONG_KCB"] == "3.1" else 100
        small = route == 100 and amount(head, "T_TONGCHI_BH") < Decimal(salary) * 15 / 100
        if small or claim.key[0] in communes:
            expected = 100
        levels = {int(r["MUC_HUONG"]) for r in (*claim.drugs, *claim.services)}
        assert levels == {expected * route // 100}


def test_rows_carry_every_official_field_in_order(world: World) -> None:
    claim = next(c for c in world.claims.values() if c.head["MA_LOAI_KCB"] == "03" and c.tables["XML4"])
    assert set(claim.tables) == {"XML1", "XML2", "XML3", "XML4", "XML5", "XML7"}
    for table in ("XML1", "XML2", "XML3", "XML4"):
        for row in claim.tables[table]:
            assert list(row) == [f.name.upper() for f in fields(table)]
    for claim in world.claims.values():
        for table in ("XML1", "XML2", "XML3", "XML4"):
            for field in (f for f in fields(table) if f.required):
                assert all(row[field.name.upper()] != "" for row in claim.tables[table]), (table, field.name)


def test_honest_times_and_beds(world: World) -> None:
    for claim in world.honest():
        head = claim.head
        assert head["NGAY_VAO"] <= head["NGAY_RA"]
        for row in claim.services:
            times = [head["NGAY_VAO"], row["NGAY_YL"], row["NGAY_TH_YL"], row["NGAY_KQ"], head["NGAY_RA"]]
            assert times == sorted(times), (claim.key, row["TEN_DICH_VU"], times)
        assert all(head["NGAY_VAO"] <= row["NGAY_YL"] <= head["NGAY_RA"] for row in claim.drugs)
        exams = sorted((r["NGAY_YL"], r["TYLE_TT_DV"]) for r in claim.services if r["MA_NHOM"] == "13")
        assert [ratio for _, ratio in exams] == ["100", "30", "30"][: len(exams)]
        if head["MA_LOAI_KCB"] == "03":
            assert claim.beds() <= max(1, claim.nights())
        else:
            assert claim.beds() == 0


def test_honest_people_are_in_one_place(world: World) -> None:
    stays_of: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for claim in world.honest():
        if claim.head["MA_LOAI_KCB"] in {"01", "03", "08"}:
            stays_of[claim.head["MA_THE_BHYT"]].append((claim.head["NGAY_VAO"], claim.head["NGAY_RA"]))
    for visits in stays_of.values():
        visits.sort()
        assert all(end < start for (_, end), (start, _) in pairwise(visits))


def test_codes_exist_and_suit_age_and_sex(world: World) -> None:
    flags = {r["icd10_nodot"]: r["annexes"].split("|") for r in reference("icd10_edit_flags")}
    for disease in (*acute(), *chronic(), *stays(), *cancers()):
        assert "A2" not in flags.get(disease.code.replace(".", ""), []), f"{disease.code} is no main diagnosis"
        known = {"tests": services(), "procedures": services(), "drugs": drugs(), "daily": drugs(), "home": drugs()}
        known |= {"theatre": drugs(), "supplies": supplies(), "sessions": services()}
        for part, items in known.items():
            assert {o.key for o in getattr(disease, part, ())} <= set(items), (disease.code, part)
    for claim in world.honest():
        annexes = flags.get(claim.head["MA_BENH_CHINH"].replace(".", ""), [])
        assert not ("A4.1" in annexes and claim.head["GIOI_TINH"] != "2")
        assert not ("A4.2" in annexes and claim.head["GIOI_TINH"] != "1")


def catalogue(world: World, name: str) -> list[dict[str, str]]:
    with (world.folder / "catalogues" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_catalogues_know_what_is_claimed(world: World) -> None:
    prices: defaultdict[Key, list[tuple[str, str, Decimal]]] = defaultdict(list)
    for r in catalogue(world, "services"):
        period = (r["valid_from"], r["valid_to"] or "9999-12-31", Decimal(r["price"]))
        prices[r["ma_cskcb"], r["ma_dich_vu"]].append(period)
    assert any(len(periods) == 2 for periods in prices.values()), "one province decides new prices"
    staff = {(r["ma_cskcb"], r["ma_bac_si"]) for r in catalogue(world, "staff")}
    machines = {(r["ma_cskcb"], r["ma_may"]) for r in catalogue(world, "machines")}
    bids = {(r["ma_cskcb"], r["code"], r["tt_thau"]): Decimal(r["price"]) for r in catalogue(world, "tenders")}
    for claim in world.honest():
        place = claim.key[0]
        for row in claim.services:
            if row["MA_DICH_VU"]:
                day = date.fromisoformat(row["NGAY_YL"][:8]).isoformat()
                valid = [p for first, last, p in prices[place, row["MA_DICH_VU"]] if first <= day <= last]
                assert valid == [amount(row, "DON_GIA_BH")]
            else:
                assert bids[place, row["MA_VAT_TU"], row["TT_THAU"]] == amount(row, "DON_GIA_BH")
            assert not row["MA_MAY"] or (place, row["MA_MAY"]) in machines
            for person in filter(None, (*row["MA_BAC_SI"].split(";"), *row["NGUOI_THUC_HIEN"].split(";"))):
                assert (place, person) in staff
        for row in claim.drugs:
            given = row["NGUON_CTRA"] == "3"  # a programme's, free
            assert (Decimal(0) if given else bids[place, row["MA_THUOC"], row["TT_THAU"]]) == amount(row, "DON_GIA")
            assert (place, row["MA_BAC_SI"]) in staff


def test_refuses_nonsense(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        generate(tmp_path, encounters=0, months=1, seed=1)
