"""`rules rehearse`: counts that add up, drafts from a file, nothing written."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from detectors.base import rules
from detectors.rulebook import run_rules
from models.rehearsal import UnknownRule, rehearse, rule_of
from tests.lib.pipeline import Pipeline

DRAFT = '''
import narwhals as nw
from detectors.base import clear, hit, rule
from detectors.examples import exam, visit
from detectors.expressions import encounter_hits

@rule(
    id="DRAFT-01", version=1, scheme="EXTRA_EXAM_FEE", severity="info", title_vi="Nháp", title_en="Draft",
    reason_vi="", reason_en="", legal_basis="-", needs=("encounter.t_bhtt",), known_gaps_vi="-", known_gaps_en="-",
    examples=(hit("quỹ trả", "paid", visit(), exam()), clear("quỹ không trả", "unpaid", visit(), exam(t_bhtt=0))),
)
def paid(tables):
    """Everything the fund pays for."""
    found = tables.encounter.filter(nw.col("t_bhtt") > 0)
    return encounter_hits(found, amount=nw.col("t_bhtt"), observed=nw.lit(1.0), allowed=nw.lit(0.0))
'''


def test_counts_add_up_and_agree_with_a_plain_run(pipeline: Pipeline) -> None:
    with pipeline.lake.reader() as reader:
        plain = run_rules(reader.claim_tables())
        common = max(rules(), key=lambda each: next(r.hit for r in plain.runs if r.rule == each.ref))
        found = rehearse(reader, common)
        assert found.hit == next(r.hit for r in plain.runs if r.rule == common.ref) > 0
        assert found.hit + found.clear + found.not_evaluable == found.encounters
        assert sum(month["hit"] for month in found.months) == found.hit
        assert sum(month["amount"] for month in found.months) == pytest.approx(found.amount, abs=0.05)
        assert found.alone <= found.hit
        month = rehearse(reader, common, since=date(2026, 8, 1), until=date(2026, 8, 31))
        assert month.encounters < found.encounters
        assert {row["month"] for row in month.months} == {202608}


def test_a_draft_from_a_file_is_run_and_not_published(pipeline: Pipeline, tmp_path: Path) -> None:
    file = tmp_path / "draft.py"
    file.write_text(DRAFT, encoding="utf-8")
    before = pipeline.lake.log()
    with pipeline.lake.reader() as reader:
        found = rehearse(reader, rule_of(str(file)))
        paid = reader.pl("select count(*) as n from claimed_encounter where t_bhtt > 0")["n"][0]
    assert found.hit == paid > 0
    assert found.overlap, "other rules name some of the same claims"
    assert pipeline.lake.log() == before
    assert "DRAFT-01" not in {each.id for each in rules()}


def test_what_is_no_rule_is_said(tmp_path: Path) -> None:
    empty = tmp_path / "empty.py"
    empty.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(UnknownRule, match="holds 0 rules"):
        rule_of(str(empty))
    with pytest.raises(UnknownRule, match="no rule bed-99: there are BED-01"):
        rule_of("bed-99")
    with pytest.raises(UnknownRule, match="no such file"):
        rule_of(str(tmp_path / "none.py"))
