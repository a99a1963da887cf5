"""The rulebook: answers that add up, rules out of force or without catalogue, the page made from the rules."""

from datetime import date

import narwhals as nw
import polars as pl
import pytest

from data.schema import ClaimTables
from detectors.base import Rule, clear, hit, rule, rules
from detectors.examples import EXAM_PRICE, drug, exam, service, stay, tables_of, visit
from detectors.expressions import LINES, at_risk, base_salary, line_hits, lines, money, named
from detectors.rulebook import BLANK_COLUMNS, SIGN_COLUMNS, catalogue_markdown, run_rules


def dear_line(
    *,
    catalogues: tuple[str, ...] = (),
    valid_from: date | None = None,
    valid_to: date | None = None,
) -> Rule:
    """A rule of the test: any line above 45,000 VND is a sign."""

    @rule(
        id="TST-01",
        version=3,
        scheme="TEST",
        severity="info",
        title_vi="Dòng đắt",
        title_en="Dear line",
        reason_vi="{observed}",
        reason_en="{observed}",
        legal_basis="-",
        needs=("encounter.ngay_ra", "drug_line.lieu_dung"),
        examples=(hit("đắt", "dear", visit(), exam()), clear("rẻ", "cheap", visit(), drug())),
        catalogues=catalogues,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    def query(tables: ClaimTables) -> nw.LazyFrame:
        found = lines(tables, LINES, "thanh_tien_bh", "t_bhtt").filter(money("thanh_tien_bh") > 45_000)
        return line_hits(found, amount=money("t_bhtt"), observed=money("thanh_tien_bh"), allowed=nw.lit(45_000.0))

    return query


FOUR_CLAIMS = (
    visit(),  # clear
    drug(),
    visit("2025-03-11 08:00"),  # hit
    exam(),
    drug(lieu_dung=None),
    visit("2025-03-12 08:00"),  # a blank dose and nothing dear
    drug(),
    drug(lieu_dung=None),
    stay(ngay_ra=None),  # a blank on the encounter
)


def test_three_answers() -> None:
    results = run_rules(tables_of(FOUR_CLAIMS), [dear_line()])

    (run,) = results.runs
    assert (run.rule, run.hit, run.clear, run.not_evaluable, run.reason) == ("TST-01@3", 1, 1, 2, None)
    assert results.hits.select("ma_lk", "line_table", "row_no", "amount", "source", "scheme", "severity").rows() == [
        ("LK002", "service_line", 1, EXAM_PRICE * 0.8, "TST-01@3", "TEST", "info")
    ]
    assert sorted(results.not_evaluable.select("ma_lk", "field").rows()) == [
        ("LK003", "drug_line.lieu_dung"),
        ("LK004", "encounter.ngay_ra"),
    ]


def test_results_keep_their_columns_when_nothing_is_found() -> None:
    results = run_rules(tables_of(()))
    assert results.hits.schema == pl.Schema(dict(SIGN_COLUMNS))
    assert results.not_evaluable.schema == pl.Schema(dict(BLANK_COLUMNS))
    assert {(r.hit, r.clear, r.not_evaluable) for r in results.runs} == {(0, 0, 0)}
    assert [r.rule for r in results.runs] == [r.ref for r in rules()]


def test_rule_without_its_catalogue_stands_aside() -> None:
    results = run_rules(tables_of(FOUR_CLAIMS), [dear_line(catalogues=("services",))])
    (run,) = results.runs
    assert (run.hit, run.clear, run.not_evaluable) == (0, 0, 4)
    assert run.reason is not None
    assert "services" in run.reason
    assert results.hits.is_empty()


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "hits"),
    [
        (date(2025, 3, 11), None, 1),
        (date(2025, 3, 12), None, 0),
        (None, date(2025, 3, 11), 1),
        (None, date(2025, 3, 10), 0),
    ],
)
def test_rule_judges_only_claims_of_its_time(valid_from: date | None, valid_to: date | None, hits: int) -> None:
    (run,) = run_rules(tables_of(FOUR_CLAIMS), [dear_line(valid_from=valid_from, valid_to=valid_to)]).runs
    assert run.hit == hits
    assert run.hit + run.clear + run.not_evaluable == 4


def test_amount_at_risk_stays_within_what_the_fund_pays() -> None:
    frame = nw.from_native(
        pl.DataFrame({"wanted": [-5.0, 10.0, 99.0, None, 1.0, 2.345], "t_bhtt": [50.0, 50.0, 50.0, 50.0, None, 50.0]})
    )
    assert frame.select(x=at_risk(nw.col("wanted")))["x"].to_list() == [0.0, 10.0, 50.0, 0.0, 0.0, 2.35]


@pytest.mark.parametrize(
    ("at", "salary"),
    [("2019-06-30", None), ("2023-06-30", 1_490_000), ("2023-07-01", 1_800_000), ("2026-12-31", 2_530_000)],
)
def test_base_salary_of_the_day(at: str, salary: float | None) -> None:
    frame = nw.from_native(pl.DataFrame({"at": [at]}).select(pl.col("at").str.to_datetime("%Y-%m-%d")))
    assert frame.select(x=base_salary(nw.col("at")))["x"].to_list() == [salary]


def test_names_match_whatever_their_accents() -> None:
    names = ["Định lượng ĐƯỜNG MÁU", "dinh luong duong mau", "Tổng phân tích", None]
    frame = nw.from_native(pl.DataFrame({"name": names}))
    assert frame.select(x=named("name", "duong mau"))["x"].to_list() == [True, True, False, False]


def test_example_claims_add_up() -> None:
    tables = tables_of((stay(), exam(), service(quantity=2), drug(tyle_tt_bh=50)))
    encounter = tables.encounter.to_native().collect().row(0, named=True)
    assert encounter["t_tongchi_bv"] == 50_000 + 200_000 + 20_000
    assert encounter["t_tongchi_bh"] == 50_000 + 200_000 + 10_000
    assert encounter["t_bhtt"] == encounter["t_tongchi_bh"] - encounter["t_bncct"]
    assert encounter["t_tongchi_bv"] == encounter["t_bhtt"] + encounter["t_bncct"] + encounter["t_bntt"]


def test_example_says_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="before any visit"):
        tables_of((exam(),))
    with pytest.raises(ValueError, match="no field ngay_nhap"):
        tables_of((visit(ngay_nhap="2025-01-01"),))


def test_page_tells_every_rule_in_both_languages() -> None:
    page = catalogue_markdown()
    for each in rules():
        assert f"## {each.id}\n" in page
        assert page.index(each.title_vi) < page.index(each.title_en)
        assert each.legal_basis in page
        vietnamese, english = page.split(f"## {each.id}\n")[1].split("\n## ")[0].split(f"**{each.title_en}**")
        assert each.known_gaps_vi in vietnamese
        assert each.known_gaps_en in english
        assert all(e.title_vi in vietnamese and e.title_en in english for e in each.examples)
    assert page == catalogue_markdown()
