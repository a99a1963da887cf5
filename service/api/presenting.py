"""From the values of the service to the JSON of the API. Pure: nothing here reads or decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from service.api import shapes
from service.api.cursors import write_number, write_place
from service.reading import Place

if TYPE_CHECKING:
    from service.audit import AuditRecord
    from service.cases.model import Case, Decision
    from service.reading import ClaimDetail, ClaimRow, EntityRow, RunInfo


def plain(value: Any) -> Any:
    """A value of the lake as JSON has it: amounts as numbers, moments as ISO text."""
    match value:
        case Decimal():
            return float(value)
        case datetime() | date():
            return value.isoformat()
        case Mapping():
            return {str(key): plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
        case str():
            return value
        case Sequence():
            return [plain(item) for item in cast("Sequence[Any]", value)]
        case _:
            return value


def claim_list(run_id: str | None, rows: Sequence[ClaimRow], size: int, *, by_worth: bool = False) -> shapes.ClaimList:
    """Claims behind a cursor; a short answer is the last. `by_worth`: they are listed by money a minute."""
    cursor = None
    if run_id is not None and len(rows) == size:
        last = rows[-1]
        place = Place(
            score=last.score,
            expected_recoverable=last.expected_recoverable,
            key=(last.ma_cskcb, last.ma_lk),
            worth=last.worth if by_worth else None,
        )
        cursor = write_place(run_id, place)
    items = [shapes.Claim.model_validate(row) for row in rows]
    return shapes.ClaimList(run_id=run_id, items=items, next_cursor=cursor)


def entity_list(run_id: str | None, rows: Sequence[EntityRow], size: int) -> shapes.EntityList:
    """Entities behind a cursor; a short answer is the last."""
    cursor = None
    if run_id is not None and len(rows) == size:
        last = rows[-1]
        place = Place(score=last.score, expected_recoverable=last.expected_recoverable, key=(last.entity_id, ""))
        cursor = write_place(run_id, place)
    items = [shapes.Entity.model_validate(row) for row in rows]
    return shapes.EntityList(run_id=run_id, items=items, next_cursor=cursor)


def claim_detail(detail: ClaimDetail) -> shapes.ClaimDetail:
    """One claim with everything around it."""

    def entity(row: EntityRow | None) -> shapes.Entity | None:
        return None if row is None else shapes.Entity.model_validate(row)

    return shapes.ClaimDetail(
        claim_id=detail.claim_id,
        run_id=detail.run.run_id if detail.run else None,
        encounter=plain(detail.encounter),
        row=None if detail.row is None else shapes.Claim.model_validate(detail.row),
        alike=detail.alike,
        reasons_vi=detail.reasons_vi,
        reasons_en=detail.reasons_en,
        evidence=detail.evidence,
        lines=tuple(
            shapes.Line(
                line_table=line.line_table,
                row_no=line.row_no,
                amount_at_risk=line.amount_at_risk,
                signals=tuple(shapes.Signal.model_validate(signal) for signal in line.signals),
                fields=plain(line.fields),
            )
            for line in detail.lines
        ),
        encounter_signals=tuple(shapes.Signal.model_validate(signal) for signal in detail.encounter_signals),
        lab_results=tuple(plain(row) for row in detail.lab_results),
        versions=tuple(shapes.ClaimVersion.model_validate(version) for version in detail.versions),
        history=tuple(shapes.History.model_validate(row) for row in detail.history),
        history_elsewhere=detail.history_elsewhere,
        peers=None if detail.peers is None else shapes.Peers.model_validate(detail.peers),
        doctor=entity(detail.doctor),
        facility=entity(detail.facility),
        patient=entity(detail.patient),
    )


def explanation(detail: ClaimDetail, run: RunInfo, row: ClaimRow) -> shapes.Explanation:
    """Why the claim is where it is in the run."""
    return shapes.Explanation(
        claim_id=detail.claim_id,
        run_id=run.run_id,
        model_version=run.model_version,
        snapshot=run.snapshot,
        rank=row.rank,
        score=row.score,
        flagged=row.flagged,
        amount_at_risk=row.amount_at_risk,
        expected_recoverable=row.expected_recoverable,
        likelihood=row.likelihood,
        pattern=row.pattern,
        schemes=row.schemes,
        status=row.status,
        reasons_vi=detail.reasons_vi,
        reasons_en=detail.reasons_en,
        evidence=detail.evidence,
    )


def case_list(cases: Sequence[Case], size: int) -> shapes.CaseList:
    """Cases, newest first; a short answer is the last."""
    return shapes.CaseList(
        items=[shapes.Case.model_validate(case) for case in cases],
        next_cursor=write_number(cases[-1].id) if len(cases) == size else None,
    )


def case_detail(case: Case, decisions: Sequence[Decision], history: Sequence[AuditRecord]) -> shapes.CaseDetail:
    """A case with its decisions and acts."""
    return shapes.CaseDetail(
        case=shapes.Case.model_validate(case),
        evidence=case.evidence,
        decisions=[shapes.Decision.model_validate(decision) for decision in decisions],
        history=[shapes.Audit.model_validate(record) for record in history],
    )
