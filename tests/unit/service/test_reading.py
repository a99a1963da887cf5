from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from data.lake import Lake
from service.accounts import Scope
from service.exports import COLUMNS, BadExport, export, recorded_cards
from service.reading import (
    MAKERS,
    BadQuery,
    ClaimFilters,
    ClaimRow,
    EntityFilters,
    Level,
    NothingScored,
    Place,
    Reading,
    UnknownClaim,
    UnknownEntity,
    UnknownRun,
)
from tests.lib.scored import AT, FLAG_ABOVE, RUN, add_run, resend, scored_lake

CLAIMS = 240
ALL = Scope()
P98 = Scope(("98",))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return scored_lake(tmp_path_factory.mktemp("lake"), CLAIMS)


@pytest.fixture(scope="module")
def reading(lake: Lake) -> Reading:
    return Reading(lake)


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pattern") / "lake"
    scored_lake(root, 60)
    return root


@pytest.fixture
def own_lake(pattern: Path, tmp_path: Path) -> Lake:
    """A lake of 60 claims that the test may change."""
    return Lake(Path(shutil.copytree(pattern, tmp_path / "lake")), clock=lambda: AT)


def everything(reading: Reading, scope: Scope = ALL, filters: ClaimFilters | None = None) -> list[ClaimRow]:
    return list(reading.worklist(scope, filters, size=1000).rows)


def test_rank_follows_score_then_money_then_key(reading: Reading) -> None:
    rows = everything(reading)
    assert [row.rank for row in rows] == list(range(1, CLAIMS + 1))
    keys = [(-row.score, -row.expected_recoverable, row.ma_cskcb, row.ma_lk) for row in rows]
    assert keys == sorted(keys)
    assert rows[0].score == pytest.approx((CLAIMS - 1) / CLAIMS, abs=1e-6)


def test_pages_and_sums_are_those_of_the_whole_filtered_list(reading: Reading) -> None:
    rows = everything(reading)
    page = reading.worklist(ALL, page=3, size=7)
    assert [row.claim_id for row in page.rows] == [row.claim_id for row in rows[14:21]]
    assert (page.total, page.pages) == (CLAIMS, -(-CLAIMS // 7))
    assert page.amount_at_risk == sum(row.amount_at_risk for row in rows)
    assert page.expected_recoverable == sum(row.expected_recoverable for row in rows)
    assert page.flagged == sum(row.score > FLAG_ABOVE for row in rows)


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (ClaimFilters(province="98"), lambda r: r.province == "98"),
        (ClaimFilters(facility="99001"), lambda r: r.ma_cskcb == "99001"),
        (ClaimFilters(ma_loai_kcb="03"), lambda r: r.ma_loai_kcb == "03"),
        (ClaimFilters(scheme="UPCODE_SERVICE"), lambda r: "UPCODE_SERVICE" in r.schemes),
        (ClaimFilters(flagged=True), lambda r: r.flagged),
        (ClaimFilters(min_amount=Decimal(500_000)), lambda r: r.amount_at_risk >= 500_000),
        (ClaimFilters(doctor="98001:BS3"), lambda r: (r.ma_cskcb, r.doctor) == ("98001", "BS3")),
        (ClaimFilters(patient="p7"), lambda r: r.patient_id == "p7"),
        (ClaimFilters(text=" l00000 "), lambda r: r.ma_lk < "L000010"),
        (ClaimFilters(text="e11"), lambda r: r.ma_benh_chinh == "E11.9"),
        (ClaimFilters(text="98002:L0000"), lambda r: r.ma_cskcb == "98002" and r.ma_lk < "L000100"),
        (ClaimFilters(text="%"), lambda _: False),
        (
            ClaimFilters(date_from=date(2026, 1, 6), date_to=date(2026, 1, 7)),
            lambda r: date(2026, 1, 6) <= r.ngay_ra.date() <= date(2026, 1, 7),
        ),
        (ClaimFilters(include=["98001:L000000", "99001:L000002"]), lambda r: r.ma_lk in ("L000000", "L000002")),
        (ClaimFilters(include=[]), lambda _: False),
        (ClaimFilters(exclude=["98001:L000000"]), lambda r: r.ma_lk != "L000000"),
        (
            ClaimFilters(province="98", flagged=True, ma_loai_kcb="01"),
            lambda r: r.flagged and r.province == "98" and r.ma_loai_kcb == "01",
        ),
    ],
)
def test_filters_agree_with_filtering_by_hand(
    reading: Reading, filters: ClaimFilters, wanted: Callable[[ClaimRow], bool]
) -> None:
    expected = [row.claim_id for row in everything(reading) if wanted(row)]
    assert [row.claim_id for row in everything(reading, filters=filters)] == expected
    assert reading.worklist(ALL, filters).total == len(expected)
    assert len(expected) < CLAIMS


def test_sorting_by_a_column_breaks_ties_by_rank(reading: Reading) -> None:
    rows = reading.worklist(ALL, sort="-amount_at_risk", size=1000).rows
    assert [(-r.amount_at_risk, r.rank) for r in rows] == sorted((-r.amount_at_risk, r.rank) for r in rows)
    assert reading.worklist(ALL, sort="ngay_vao", size=1).rows[0].ma_lk == "L000000"


@pytest.mark.parametrize(
    "ask", [{"sort": "score; drop table x"}, {"sort": "--rank"}, {"page": 0}, {"size": 0}, {"size": 5000}]
)
def test_a_sort_or_page_that_does_not_exist_is_refused(reading: Reading, ask: dict[str, object]) -> None:
    with pytest.raises(BadQuery):
        reading.worklist(ALL, **ask)  # pyright: ignore[reportArgumentType]


def test_cursor_paging_visits_every_claim_once_in_order(reading: Reading) -> None:
    seen: list[str] = []
    place: Place | None = None
    while rows := reading.claims_after(P98, after=place, size=17):
        seen += [row.claim_id for row in rows]
        last = rows[-1]
        place = Place(score=last.score, expected_recoverable=last.expected_recoverable, key=(last.ma_cskcb, last.ma_lk))
    assert seen == [row.claim_id for row in everything(reading, P98)]
    assert len(seen) == CLAIMS // 2


def test_a_scope_limits_lists_details_facets_and_exports(reading: Reading, tmp_path: Path) -> None:
    other = next(row for row in everything(reading) if row.province == "99")
    assert {row.province for row in everything(reading, P98)} == {"98"}
    assert everything(reading, P98, ClaimFilters(province="99")) == []
    assert {choice.value for choice in reading.facets(P98).provinces} == {"98"}
    assert {choice.value for choice in reading.facets(P98).facilities} == {"98001", "98002"}
    with pytest.raises(UnknownClaim):
        reading.claim(P98, other.claim_id)
    with pytest.raises(UnknownClaim):
        reading.paid(P98, other.claim_id)
    with pytest.raises(UnknownEntity):
        reading.entity("facility", P98, "99001")
    with pytest.raises(UnknownEntity):
        reading.entity("doctor", P98, f"{other.ma_cskcb}:{other.doctor}")
    counts = {
        level: export(reading, level, tmp_path / f"{level}.jsonl", scope=P98) for level in ("claim", "line", "facility")
    }
    assert counts == {"claim": CLAIMS // 2, "line": CLAIMS // 2 * 4, "facility": 2}
    both = Scope(("98",), ("98001", "99001"))
    assert {row.ma_cskcb for row in everything(reading, both)} == {"98001"}


def test_a_patient_is_seen_where_one_of_their_claims_is(own_lake: Lake) -> None:
    reading = Reading(own_lake)  # 21 patients; p18 went only to 99001 and 99002
    seen = {row.entity_id for row in reading.entities("patient", P98, size=1000).rows}
    owners = {row.patient_id for row in everything(reading, P98)}
    assert seen == owners
    assert {f"p{i}" for i in range(21)} - seen == {"p18"}


def test_claim_detail_holds_lines_signals_and_amounts(reading: Reading) -> None:
    top = everything(reading)[0]
    detail = reading.claim(ALL, top.claim_id)
    assert detail.row == top
    assert [(line.line_table, line.row_no) for line in detail.lines] == [
        ("drug_line", 1),
        ("drug_line", 2),
        ("service_line", 1),
        ("service_line", 2),
    ]
    marked = [line for line in detail.lines if line.signals]
    assert [(line.line_table, line.row_no) for line in marked] == [("service_line", 1)]
    assert marked[0].amount_at_risk == min(top.amount_at_risk, marked[0].fields["t_bhtt"])
    assert marked[0].signals[0].source == "BED-01@1"
    assert [signal.source for signal in detail.encounter_signals] == ["expected_cost@1"]
    assert [item["source"] for item in detail.evidence] == ["BED-01@1", "expected_cost@1"]
    assert detail.reasons_vi.startswith("Số ngày giường")
    assert len(detail.lab_results) == 1
    assert detail.doctor is not None
    assert detail.doctor.entity_id == f"{top.ma_cskcb}:{top.doctor}"
    assert detail.facility is not None
    assert detail.patient is not None
    assert detail.patient.entity_id == top.patient_id


def test_paid_amounts_are_those_of_the_stored_lines(reading: Reading) -> None:
    top = everything(reading)[0]
    paid = reading.paid(ALL, top.claim_id, top.version)
    assert paid[None] == top.t_bhtt
    assert set(paid) == {None, ("drug_line", 1), ("drug_line", 2), ("service_line", 1), ("service_line", 2)}
    with pytest.raises(UnknownClaim):
        reading.paid(ALL, top.claim_id, 10**9)


def test_history_shows_the_patients_other_claims_inside_the_scope(lake: Lake) -> None:
    reading = Reading(lake)
    by_patient: dict[str | None, list[ClaimRow]] = {}
    for row in everything(reading):
        by_patient.setdefault(row.patient_id, []).append(row)
    own, *others = by_patient["p3"]
    detail = reading.claim(ALL, own.claim_id)
    assert {row.claim_id for row in detail.history} == {row.claim_id for row in others}
    assert {row.rank for row in detail.history} == {row.rank for row in others}
    elsewhere = reading.claim(Scope((), (own.ma_cskcb,)), own.claim_id)
    hidden = sum(row.ma_cskcb != own.ma_cskcb for row in others)
    assert elsewhere.history_elsewhere == hidden
    assert len(elsewhere.history) == len(others) - hidden


def test_peers_count_like_claims_and_place_this_one(reading: Reading) -> None:
    rows = everything(reading)
    own = next(row for row in rows if row.ma_loai_kcb == "01")
    peers = reading.claim(ALL, own.claim_id).peers
    like = [r for r in rows if (r.ma_loai_kcb, (r.ma_benh_chinh or "")[:3]) == ("01", (own.ma_benh_chinh or "")[:3])]
    assert peers is not None
    rank = {"98001": "2", "98002": "3", "99001": "2", "99002": "3"}
    same = [r for r in like if rank[r.ma_cskcb] == rank[own.ma_cskcb]]
    assert peers.facility_rank == rank[own.ma_cskcb]
    assert peers.count == len(same) == sum(bar.count for bar in peers.bins)
    assert peers.share_below == pytest.approx(sum(r.t_bhtt < own.t_bhtt for r in same) / len(same))
    assert peers.quantiles["p05"] <= peers.quantiles["p50"] <= peers.quantiles["p95"]


def test_too_few_peers_are_no_picture(reading: Reading) -> None:
    inpatient = everything(reading, filters=ClaimFilters(ma_loai_kcb="03"))
    assert len(inpatient) < 30
    assert reading.claim(ALL, inpatient[0].claim_id).peers is None


def test_facets_count_by_value(reading: Reading) -> None:
    facets = reading.facets(ALL)
    rows = everything(reading)
    assert {c.value: (c.claims, c.flagged) for c in facets.facilities} == {
        code: (sum(r.ma_cskcb == code for r in rows), sum(r.ma_cskcb == code and r.flagged for r in rows))
        for code in ("98001", "98002", "99001", "99002")
    }
    assert {c.value: c.claims for c in facets.schemes} == {
        name: sum(name in r.schemes for r in rows) for name in {s for r in rows for s in r.schemes}
    }


@pytest.mark.parametrize("level", ["doctor", "facility", "patient"])
def test_entities_rank_and_filter(reading: Reading, level: Level) -> None:
    page = reading.entities(level, ALL, size=1000)
    assert [row.rank for row in page.rows] == list(range(1, page.total + 1))
    assert list(page.rows) == reading.entities_after(level, ALL, size=1000)
    text = page.rows[-1].entity_id
    found = reading.entities(level, ALL, EntityFilters(text=text.upper()), size=1000).rows
    assert text in {row.entity_id for row in found}
    assert reading.entity(level, ALL, text).evidence[0]["source"] == "roll_up@1"


@pytest.mark.parametrize("level", ["doctor", "facility", "patient"])
def test_an_entity_shows_the_claims_that_make_it_so_by_their_part(reading: Reading, level: Level) -> None:
    top = reading.entities(level, ALL).rows[0].entity_id
    made = reading.entity(level, ALL, top).claims
    assert [one.expected_recoverable for one in made] == sorted((o.expected_recoverable for o in made), reverse=True)
    for one in made:
        assert 0 < one.part <= 1
        assert float(one.expected_recoverable) == pytest.approx(
            float(one.claim.expected_recoverable) * one.part, abs=0.01
        )
    if level != "doctor":
        field = {"facility": "ma_cskcb", "patient": "patient_id"}[level]
        mine = [row for row in everything(reading) if getattr(row, field) == top and row.expected_recoverable > 0]
        assert {one.claim.claim_id for one in made} <= {row.claim_id for row in mine}
        assert len(made) == min(len(mine), MAKERS)


def test_no_claim_outside_the_scope_is_shown_of_a_patient(reading: Reading) -> None:
    for row in reading.entities("patient", P98, size=1000).rows:
        assert {one.claim.province for one in reading.entity("patient", P98, row.entity_id).claims} <= {"98"}


def test_a_later_run_takes_its_scores_and_keeps_the_rest(own_lake: Lake) -> None:
    ticks: Iterator[float] = iter(range(0, 1000, 10))
    reading = Reading(own_lake, clock=lambda: next(ticks))
    last = everything(reading)[-1]
    add_run(own_lake, "run-2", [last.claim_id], score=0.9999)
    rows = everything(reading)
    assert reading.run().run_id == "run-2"
    assert len(rows) == 60
    assert (rows[0].claim_id, rows[0].run_id) == (last.claim_id, "run-2")
    assert {row.run_id for row in rows[1:]} == {RUN}
    assert reading.worklist(ALL, run_id=RUN, size=1000).rows[-1].claim_id == last.claim_id
    with pytest.raises(UnknownRun):
        reading.worklist(ALL, run_id="run-9")


def test_a_claim_sent_again_leaves_the_ranking_and_shows_both_versions(own_lake: Lake) -> None:
    reading = Reading(own_lake)
    first, second = everything(reading)[:2]
    before = reading.paid(ALL, first.claim_id, first.version)
    resend(own_lake, first.claim_id)
    resend(own_lake, second.claim_id, withdrawn=True)
    reading = Reading(own_lake)
    assert not {first.claim_id, second.claim_id} & {row.claim_id for row in everything(reading)}
    detail = reading.claim(ALL, first.claim_id)
    assert detail.row is None
    assert [(v.current, v.withdrawn) for v in detail.versions] == [(True, False), (False, False)]
    assert reading.paid(ALL, first.claim_id, first.version) == before
    gone = reading.claim(ALL, second.claim_id)
    assert [(v.current, v.withdrawn) for v in gone.versions] == [(False, True), (False, False)]


def test_the_lake_is_asked_at_most_once_a_second(own_lake: Lake) -> None:
    now = 0.0
    reading = Reading(own_lake, clock=lambda: now)
    top = everything(reading)[0]
    resend(own_lake, top.claim_id)
    now = 0.5
    assert everything(reading)[0].claim_id == top.claim_id
    now = 1.5
    assert everything(reading)[0].claim_id != top.claim_id


def test_without_a_run_lists_are_empty_and_a_run_is_asked_for(tmp_path: Path) -> None:
    reading = Reading(Lake(tmp_path, clock=lambda: pytest.fail("nothing is written")))
    assert reading.latest_run() is None
    assert reading.worklist(ALL).total == 0
    assert reading.entities("doctor", ALL).rows == ()
    with pytest.raises(NothingScored):
        reading.run()
    with pytest.raises(UnknownClaim):
        reading.claim(ALL, "98001:L000000")


@pytest.mark.parametrize("claim_id", ["", ":", "98001", "98001:", ":L1", "98001:L999999", "98001:L000000' or 1=1 --"])
def test_an_id_that_names_no_claim_is_unknown(reading: Reading, claim_id: str) -> None:
    with pytest.raises(UnknownClaim):
        reading.claim(ALL, claim_id)


# exports


@pytest.mark.parametrize("level", ["claim", "line", "patient", "doctor", "facility"])
def test_formats_agree(reading: Reading, tmp_path: Path, level: str) -> None:
    counts = {export(reading, level, tmp_path / f"x{kind}", top=40) for kind in (".parquet", ".csv", ".jsonl", ".xlsx")}
    assert len(counts) == 1
    frame = pl.read_parquet(tmp_path / "x.parquet")
    assert dict(frame.schema) == dict(COLUMNS)
    assert frame["rank"].to_list() == list(range(1, frame.height + 1))
    scores = frame["score"].to_list()
    assert scores == sorted(scores, reverse=True)
    assert all(isinstance(json.loads(text), list | dict) for text in frame["evidence"])
    lines = [json.loads(text) for text in (tmp_path / "x.jsonl").read_text("utf-8").splitlines()]
    table = pl.read_csv(tmp_path / "x.csv", infer_schema=False)
    sheet = list(openpyxl.load_workbook(tmp_path / "x.xlsx").worksheets[0].iter_rows(values_only=True))
    assert [row["entity_id"] for row in lines] == frame["entity_id"].to_list() == table["entity_id"].to_list()
    assert list(sheet[0]) == list(COLUMNS) == table.columns
    assert [row[4] for row in sheet[1:]] == [float(value) for value in frame["amount_at_risk"]]
    assert [str(value) for value in frame["amount_at_risk"]] == table["amount_at_risk"].to_list()
    assert table["schemes"].fill_null("").to_list() == [";".join(value) for value in frame["schemes"].to_list()]
    assert not list(tmp_path.glob(".*"))


def test_every_line_is_ranked_those_with_signals_first(reading: Reading, tmp_path: Path) -> None:
    export(reading, "line", tmp_path / "line.parquet")
    frame = pl.read_parquet(tmp_path / "line.parquet")
    assert frame.height == CLAIMS * 4
    flagged = sum(row.flagged for row in everything(reading))
    marked = frame.filter(pl.col("score") > 0)
    assert marked.height == flagged
    assert marked["entity_id"].str.ends_with(":service_line:1").all()
    assert marked["rank"].max() == flagged
    assert [json.loads(text)[0]["source"] for text in marked["evidence"]] == ["BED-01@1"] * flagged
    assert set(frame.filter(pl.col("score") == 0)["evidence"]) == {"[]"}
    top = everything(reading)[0]
    carries_all = frame.filter(pl.col("entity_id") == f"{top.claim_id}:service_line:1").row(0, named=True)
    assert carries_all["score"] == pytest.approx(top.score, abs=1e-5)
    assert carries_all["expected_recoverable"] == top.expected_recoverable


def test_same_run_same_bytes(reading: Reading, lake: Lake, tmp_path: Path) -> None:
    for kind in (".parquet", ".csv", ".jsonl", ".xlsx"):
        first, second = tmp_path / f"a{kind}", tmp_path / f"b{kind}"
        export(reading, "line", first)
        export(Reading(lake), "line", second)
        assert first.read_bytes() == second.read_bytes(), kind


def test_cells_that_look_like_formulas_are_text(reading: Reading, tmp_path: Path) -> None:
    dangerous = ["=1+1", "+1", "-1", "@x"]
    tops = [row.entity_id for row in reading.entities("patient", ALL, size=4).rows]
    names = dict(zip(tops, dangerous, strict=True))
    export(reading, "patient", tmp_path / "p.csv", top=4, card_of=lambda _: names)
    export(reading, "patient", tmp_path / "p.xlsx", top=4, card_of=lambda _: names)
    quoted = [f"'{text}" for text in dangerous]
    assert pl.read_csv(tmp_path / "p.csv", infer_schema=False)["entity_id"].to_list() == quoted
    sheet = openpyxl.load_workbook(tmp_path / "p.xlsx").worksheets[0]
    assert [sheet.cell(row, 1).value for row in range(2, 6)] == quoted
    assert {sheet.cell(row, 1).data_type for row in range(2, 6)} == {"s"}


def test_cards_are_given_only_when_allowed_and_each_look_is_recorded(reading: Reading, tmp_path: Path) -> None:
    looks: list[int] = []
    export(reading, "patient", tmp_path / "pseudonyms.parquet", top=10)
    assert looks == []
    rows = export(reading, "patient", tmp_path / "cards.parquet", top=10, card_of=recorded_cards(reading, looks.append))
    pseudonyms = pl.read_parquet(tmp_path / "pseudonyms.parquet")["entity_id"]
    cards = pl.read_parquet(tmp_path / "cards.parquet")["entity_id"]
    assert cards.to_list() == [f"DN4{name}" for name in pseudonyms]
    assert looks == [rows]


@pytest.mark.parametrize(("level", "name"), [("line", "x.txt"), ("ward", "x.csv")])
def test_an_unknown_level_or_format_is_refused(reading: Reading, tmp_path: Path, level: str, name: str) -> None:
    with pytest.raises(BadExport):
        export(reading, level, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_nothing_behind(reading: Reading, tmp_path: Path) -> None:
    def fail(_: object) -> dict[str, str]:
        raise RuntimeError("no access")

    (tmp_path / "p.csv").write_text("kept")
    with pytest.raises(RuntimeError, match="no access"):
        export(reading, "patient", tmp_path / "p.csv", card_of=fail)
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]
    assert (tmp_path / "p.csv").read_text() == "kept"
