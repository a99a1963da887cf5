"""What every rule promises: its worked examples, one answer on both engines, three counts, money within the bill."""

import re
import string
from collections.abc import Iterator
from datetime import datetime
from functools import cache

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from data.catalogues import CATALOGUES, Catalogues
from data.schema import ClaimTables, columns
from detectors.base import HIT_COLUMNS, Example, Rule, rules
from detectors.examples import FACILITY_COLUMNS, Engine, tables_of
from detectors.rulebook import run_rules

TABLES = ("encounter", "drug_line", "service_line", "lab_result")
ENGINES: tuple[Engine, ...] = ("polars", "duckdb")
AT_LEAST = 22
BANNED = ("gian lận", "fraud")
ACCENTED = re.compile("[À-ỹ]")  # letters that Vietnamese has and English has not
ENGLISH = re.compile(
    r"\b(the|of|is|are|and|not|with|without|which|for|patient|claim|same|passed|unverified)\b", re.IGNORECASE
)

EXAMPLES = [pytest.param(r, e, id=f"{r.id}: {e.title_en}") for r in rules() for e in r.examples]
CATALOGUED = [pytest.param(r, e, id=f"{r.id}: {e.title_en}") for r in rules() if r.catalogues for e in r.examples]


def frames_of(tables: ClaimTables) -> dict[str, pl.DataFrame]:
    return {name: getattr(tables, name).collect().to_native() for name in TABLES}


def tables_from(frames: dict[str, pl.DataFrame], engine: Engine = "polars") -> ClaimTables:
    eager = {name: nw.from_native(frame, eager_only=True) for name, frame in frames.items()}
    lazy = {n: f.lazy() if engine == "polars" else f.lazy(backend="duckdb") for n, f in eager.items()}
    return ClaimTables(**lazy, snapshot=1, catalogues=Catalogues.none())


@cache
def every_example() -> dict[str, pl.DataFrame]:
    """The claims of all examples as one snapshot; each example keeps its own patients and claim numbers."""
    parts: dict[str, list[pl.DataFrame]] = {name: [] for name in TABLES}
    for number, (each, example) in enumerate(p.values for p in EXAMPLES):
        for name, frame in frames_of(tables_of(example.claim)).items():
            own = frame.with_columns(ma_lk=pl.format("E{}-{}", pl.lit(number), "ma_lk"))
            if each.context == "facility":  # its own company
                places = pl.col("ma_cskcb", "ma_dkbd") if name == "encounter" else pl.col("ma_cskcb")
                own = own.with_columns(places.replace("01001", f"{90000 + number:05}"))
            if name == "encounter":
                own = own.with_columns(patient_id=pl.format("E{}-{}", pl.lit(number), "patient_id"))
            parts[name].append(own)
    return {name: pl.concat(frames) for name, frames in parts.items()}


@cache
def shuffled_world(seed: int = 0, encounters: int = 400, lines: int = 2400) -> dict[str, pl.DataFrame]:
    """Claims drawn from the cells of the examples, columns mixed and cells blanked: nothing in them fits together."""
    rng = np.random.default_rng(seed)
    drawn: dict[str, pl.DataFrame] = {}
    for name, frame in every_example().items():
        size = encounters if name == "encounter" else lines // 3
        cells = {}
        for column in frame.columns:
            if not frame.height:
                cells[column] = pl.Series(column, [None] * size, dtype=frame.schema[column])
                continue
            picked = frame[column].gather(rng.integers(0, frame.height, size).tolist())
            blank = pl.Series(rng.random(size) < 0.03)
            cells[column] = pl.select(pl.when(~blank).then(picked).alias(column))[column]
        drawn[name] = pl.DataFrame(cells)
    owner = rng.integers(0, encounters, lines)
    facility = [f"0100{n % 3}" for n in range(encounters)]
    drawn["encounter"] = drawn["encounter"].with_columns(
        ma_lk=pl.Series([f"R{n}" for n in range(encounters)]),
        ma_cskcb=pl.Series(facility),
        patient_id=pl.Series([None if n % 17 == 0 else f"P{n % 90}" for n in range(encounters)]),
    )
    for name in TABLES[1:]:
        size = drawn[name].height
        drawn[name] = drawn[name].with_columns(
            ma_lk=pl.Series([f"R{n}" for n in owner[:size]]),
            ma_cskcb=pl.Series([facility[n] for n in owner[:size]]),
            row_no=pl.Series(range(1, size + 1), dtype=pl.Int32()),
        )
    return drawn


def sorted_hits(hits: pl.DataFrame) -> list[tuple[object, ...]]:
    return sorted(hits.rows(), key=repr)


@pytest.mark.parametrize(("each", "example"), EXAMPLES)
def test_example(each: Rule, example: Example) -> None:
    results = run_rules(tables_of(example.claim), [each])
    opened = sum(row["table"] == "encounter" for row in example.claim)
    last = f"LK{opened:03}"
    (run,) = results.runs
    assert run.hit + run.clear + run.not_evaluable == opened

    if example.kind == "hit":
        assert set(results.hits["ma_lk"]) == {last}
        if example.amount is not None:
            assert results.hits["amount"].sum() == pytest.approx(example.amount, abs=0.02)
    elif example.kind == "clear":
        assert (run.hit, run.not_evaluable) == (0, 0)
    else:
        assert run.hit == 0
        assert last in set(results.not_evaluable["ma_lk"])


def test_both_engines_find_the_same() -> None:
    examples, shuffled = every_example(), shuffled_world()
    frames = {name: pl.concat([examples[name], shuffled[name]]) for name in TABLES}
    polars, duckdb = run_rules(tables_from(frames)), run_rules(tables_from(frames, "duckdb"))
    assert sorted_hits(polars.hits) == sorted_hits(duckdb.hits)
    assert polars.runs == duckdb.runs
    assert sorted(polars.not_evaluable.rows()) == sorted(duckdb.not_evaluable.rows())


def test_a_few_claims_and_many_are_judged_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    for frames in (every_example(), shuffled_world()):
        with monkeypatch.context() as patched:
            patched.setattr("detectors.early.MOST", 10**9)
            few = run_rules(tables_from(frames))
            patched.setattr("detectors.early.MOST", -1)
            many = run_rules(tables_from(frames))
        assert few.runs == many.runs
        assert sorted_hits(few.hits) == sorted_hits(many.hits)
        assert few.blanks.equals(many.blanks)
        assert few.vague.equals(many.vague)


@pytest.mark.parametrize(("each", "example"), CATALOGUED)
def test_both_engines_read_a_catalogue_alike(each: Rule, example: Example) -> None:
    polars, duckdb = (run_rules(tables_of(example.claim, engine=engine), [each]) for engine in ENGINES)
    assert sorted_hits(polars.hits) == sorted_hits(duckdb.hits)
    assert polars.runs == duckdb.runs


def test_an_example_is_judged_alike_alone_and_among_others() -> None:
    together = {run.rule: run for run in run_rules(tables_from(every_example())).runs}
    for each in rules():
        if each.catalogues:  # the examples' catalogues contradict each other
            continue
        hits = sum(example.kind == "hit" for example in each.examples)
        assert together[each.ref].hit >= hits, each.id


def test_three_counts_add_up_on_any_claims() -> None:
    frames = shuffled_world()
    results = run_rules(tables_from(frames))
    for run in results.runs:
        assert run.hit + run.clear + run.not_evaluable == frames["encounter"].height, run
        assert min(run.hit, run.clear, run.not_evaluable) >= 0, run
    hit = results.hits.select("source", "ma_cskcb", "ma_lk").unique()
    assert hit.join(results.not_evaluable, on=["source", "ma_cskcb", "ma_lk"], how="semi").is_empty()


def test_blank_needed_field_is_never_clear() -> None:
    """Blank one needed field everywhere: no encounter that has it may be called clear."""
    frames = shuffled_world()
    for field in sorted({need for each in rules() for need in each.needs}):
        table, column = field.split(".")
        dtype = frames[table].schema[column]
        blanked = frames | {table: frames[table].with_columns(pl.lit(None, dtype=dtype).alias(column))}
        concerned = frames[table].select("ma_cskcb", "ma_lk").unique()
        concerned = concerned.join(frames["encounter"], on=["ma_cskcb", "ma_lk"], how="semi").height
        chosen = [each for each in rules() if field in each.needs]
        for run in run_rules(tables_from(blanked), chosen).runs:
            assert run.clear <= frames["encounter"].height - concerned, (field, run)


def test_money_stays_within_the_bill() -> None:
    frames = shuffled_world()
    hits = run_rules(tables_from(frames)).hits
    assert hits["amount"].null_count() == 0
    assert (hits["amount"] >= 0).all()
    assert (hits["amount"] == hits["amount"].round(2)).all()

    key = ["ma_cskcb", "ma_lk"]
    whole = hits.filter(pl.col("line_table").is_null())
    paid = whole.join(frames["encounter"], on=key, how="left")
    assert (paid["amount"] <= paid["t_bhtt"].cast(pl.Float64).fill_null(0.0).clip(0.0)).all()
    for table in ("drug_line", "service_line"):
        lines = hits.filter(pl.col("line_table") == table)
        paid = lines.join(frames[table], on=[*key, "row_no"], how="left", validate="m:1")
        assert (paid["amount"] <= paid["t_bhtt"].cast(pl.Float64).fill_null(0.0).clip(0.0)).all()


def test_a_line_is_named_once_by_a_rule() -> None:
    hits = run_rules(tables_from(shuffled_world())).hits
    assert not hits.select("source", "ma_cskcb", "ma_lk", "line_table", "row_no").is_duplicated().any()


def test_the_future_does_not_move_the_past() -> None:
    """A claim keeps its signs when every later claim of its patient is taken away."""
    frames = every_example()
    before = run_rules(tables_from(frames)).hits
    turn = datetime.fromisoformat("2025-03-12")
    past = frames | {"encounter": frames["encounter"].filter(pl.col("ngay_vao") < turn)}
    kept = past["encounter"].select("ma_cskcb", "ma_lk")
    for name in TABLES[1:]:
        past[name] = past[name].join(kept, on=["ma_cskcb", "ma_lk"], how="semi")
    after = run_rules(tables_from(past)).hits
    assert sorted_hits(after) == sorted_hits(before.join(kept, on=["ma_cskcb", "ma_lk"], how="semi"))


def test_other_patients_do_not_move_a_sign() -> None:
    """A claim keeps its signs when it is scored with its own patient's claims only, but for those of its company."""
    frames = shuffled_world()
    chosen = [each for each in rules() if each.context == "patient"]
    together = run_rules(tables_from(frames), chosen).hits
    for patient in ("P1", "P2", "P3"):
        own = frames["encounter"].filter(pl.col("patient_id") == patient)
        alone = frames | {"encounter": own}
        for name in TABLES[1:]:
            alone[name] = frames[name].join(own, on=["ma_cskcb", "ma_lk"], how="semi")
        expected = together.join(own, on=["ma_cskcb", "ma_lk"], how="semi")
        assert sorted_hits(run_rules(tables_from(alone), chosen).hits) == sorted_hits(expected)


def test_other_facilities_do_not_move_a_sign_of_company() -> None:
    """Whoever else is read beside it, a facility's claims look the same in their own company."""
    frames = {name: pl.concat([every_example()[name], shuffled_world()[name]]) for name in TABLES}
    chosen = [each for each in rules() if each.context == "facility"]
    together = run_rules(tables_from(frames), chosen).hits
    for facility in sorted(together["ma_cskcb"].unique()):
        own = {name: frames[name].filter(pl.col("ma_cskcb") == facility) for name in TABLES}
        expected = together.filter(pl.col("ma_cskcb") == facility)
        assert sorted_hits(run_rules(tables_from(own), chosen).hits) == sorted_hits(expected)


def test_what_comes_after_does_not_move_a_sign_of_company() -> None:
    """A claim keeps its signs when every claim that begins after it ended is taken away."""
    frames = {name: pl.concat([every_example()[name], shuffled_world()[name]]) for name in TABLES}
    chosen = [each for each in rules() if each.context == "facility"]
    before = run_rules(tables_from(frames), chosen).hits
    named = before.select("ma_cskcb", "ma_lk").unique().join(frames["encounter"], on=["ma_cskcb", "ma_lk"])
    for claim in named.sort("ma_cskcb", "ma_lk").gather_every(7).iter_rows(named=True):
        if claim["ngay_ra"] is None:
            continue
        kept = frames["encounter"].filter(pl.col("ngay_vao") <= claim["ngay_ra"])
        past = {n: frames[n].join(kept, on=["ma_cskcb", "ma_lk"], how="semi") for n in TABLES}
        mine = (pl.col("ma_cskcb") == claim["ma_cskcb"]) & (pl.col("ma_lk") == claim["ma_lk"])
        after = run_rules(tables_from(past), chosen).hits.filter(mine)
        assert sorted_hits(after) == sorted_hits(before.filter(mine)), claim["ma_lk"]


def told_twice(each: Rule) -> Iterator[tuple[str, str]]:
    """Everything a rule says in words, Vietnamese and English."""
    yield each.title_vi, each.title_en
    yield each.reason_vi, each.reason_en
    yield each.known_gaps_vi, each.known_gaps_en
    for example in each.examples:
        yield example.title_vi, example.title_en


@pytest.mark.parametrize("each", rules(), ids=lambda r: r.id)
def test_rule_says_everything_in_both_languages(each: Rule) -> None:
    for vietnamese, english in told_twice(each):
        assert ACCENTED.search(vietnamese), vietnamese
        assert not ENGLISH.search(vietnamese), vietnamese
        assert english.strip()
        accented = sum(bool(ACCENTED.search(word)) for word in english.split())
        assert accented <= len(english.split()) / 3, english  # names of doses and drugs stay as they are written
        assert not any(word in text.lower() for word in BANNED for text in (vietnamese, english))


@pytest.mark.parametrize("each", rules(), ids=lambda r: r.id)
def test_rule_tells_what_a_reader_needs(each: Rule) -> None:
    assert each.version >= 1
    assert each.query.__doc__
    assert each.legal_basis
    assert not ENGLISH.search(each.legal_basis), "law is cited as its Vietnamese documents name it"
    for text in (each.reason_vi, each.reason_en):
        assert {name for _, name, _, _ in string.Formatter().parse(text) if name} <= {
            "observed",
            "allowed",
            "amount",
            "n",
        }
    for need in each.needs:
        table, column = need.split(".")
        assert column in columns(table), need


def test_rule_queries_give_the_agreed_columns() -> None:
    tables = tables_of([{"table": f"catalogue_{name}"} for name in CATALOGUES])
    for each in rules():
        assert set(each.find(tables).collect_schema().names()) == set(HIT_COLUMNS), each.id


def test_enough_rules_run_without_a_catalogue() -> None:
    assert sum(not each.catalogues for each in rules()) >= AT_LEAST


def test_examples_have_every_field_of_the_lake() -> None:
    tables = tables_of(rules()[0].examples[0].claim)
    for name in TABLES:
        extra = FACILITY_COLUMNS if name == "encounter" else {}
        assert getattr(tables, name).to_native().collect_schema() == pl.Schema(columns(name) | extra)
