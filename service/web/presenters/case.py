"""The work on one claim in words: where the case stands, what was decided, and the form that decides lines."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from data.errors import MinhBachError
from service.cases.model import CaseStatus, LineDecision, can_move
from service.cases.policies import can_conclude, can_decide, can_reopen, can_take
from service.web.formats import ABSENT, Lang, day, moment, money, number, parse_money
from service.web.presenters.claim import evidence_text, line_key, line_name, lines_named, signal_text
from service.web.presenters.worklist import TONES, status_name
from service.web.texts import Words

if TYPE_CHECKING:
    from service.accounts import User
    from service.cases.model import Case, Decision, Outcome
    from service.reading import ClaimDetail, ClaimLine

REASONS = (
    "quantity",
    "indication",
    "in_price",
    "duplicate",
    "price",
    "condition",
    "eligibility",
    "documents",
    "data",
    "other",
)
"""Reasons an assessor chooses from, as texts `refusal.*`; the words of the language in use are kept."""

Act = Literal["take", "release", "decide", "accept", "undo", "conclude", "send_back", "reopen", "ask", "answered"]

LONGEST_NOTE = 1_000
_SCHEME_REASONS: Mapping[str, str] = {
    "BED_DAY_PADDING": "quantity",
    "OVER_DRUG_QTY": "quantity",
    "QTY_INFLATION": "quantity",
    "MUE_EXCEEDED": "quantity",
    "SUPPLY_OVERCOUNT": "quantity",
    "DIAG_SERVICE_MISMATCH": "indication",
    "SEX_AGE_MISMATCH": "indication",
    "DRUG_CONTRA": "indication",
    "OVER_TEST": "indication",
    "OVER_IMAGING": "indication",
    "UNBUNDLE_SERVICE": "in_price",
    "UNBUNDLE_SUPPLY_DRUG": "in_price",
    "EXTRA_EXAM_FEE": "in_price",
    "MULTI_SURGERY_FULL": "price",
    "PRICE_OVER_APPROVED": "price",
    "DRUG_PRICE_OVER_BID": "price",
    "DUP_LINE": "duplicate",
    "DUP_CLAIM": "duplicate",
    "DUP_CROSS_FACILITY": "duplicate",
    "OVERLAP_DRUG_SUPPLY": "duplicate",
    "SIMULTANEOUS_STAYS": "duplicate",
    "DRUG_OFF_CONDITION": "condition",
    "CARD_INVALID": "eligibility",
    "BENEFIT_LEVEL_WRONG": "eligibility",
    "TOTALS_MISMATCH": "data",
}
"""Which reason a scheme most often comes to: only what the form starts with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """A decision as kept."""

    id: int
    line: str
    anchor: str
    outcome: str
    tone: str
    before: str
    refused: str
    reason: str
    legal_basis: str
    by: str
    at: str
    undo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LineForm:
    """The controls that decide one line, as they start or as they came back with errors."""

    picked: bool
    outcome: str
    amount: str
    most: str
    most_plain: str
    reason: str
    note: str
    law: str
    error: str
    amount_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """The case beside the claim: its state, what this reader may do, and what was decided."""

    number: str
    status: str
    tone: str
    facts: tuple[tuple[str, str], ...]
    acts: frozenset[Act]
    hint: str
    decisions: tuple[DecisionView, ...]
    refused_total: str
    forms: Mapping[str, LineForm]
    decided: Mapping[str, DecisionView]
    revision: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftLine:
    """What was typed for one line, and what was wrong with it."""

    outcome: str
    amount: str
    reason: str
    note: str
    law: str
    error: str = ""
    amount_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A decision form that was sent: lines to decide, or what to mend."""

    lines: Mapping[str, DraftLine]
    decisions: tuple[LineDecision, ...]
    error: str = ""

    @property
    def complete(self) -> bool:
        """Whether it can be kept."""
        return not self.error and not any(line.error or line.amount_error for line in self.lines.values())


def case_view(
    claim: ClaimDetail,
    case: Case | None,
    decisions: Sequence[Decision],
    *,
    user: User,
    lang: Lang,
    draft: Draft | None = None,
    error: str = "",
) -> CaseView:
    """What the reader sees of the case, and may do. `draft` is a form that came back to be mended."""
    t = Words(lang)
    acts = allowed_acts(case, user, scored=claim.row is not None)
    counting = [d for d in decisions if d.counts]
    names = {line_key(line.line_table, line.row_no): line_name(line)[0] for line in claim.lines}
    views = tuple(_decision(d, names, t, undo="undo" in acts) for d in counting)
    status = case.status.value if case else "new"
    return CaseView(
        number=t("case.number", n=number(case.id, lang)) if case else t("case.none"),
        status=status_name(status, t),
        tone=TONES[status],
        facts=_facts(case, t),
        acts=acts,
        hint=_hint(case, acts, user, t),
        decisions=views,
        refused_total=money(sum((d.amount_refused for d in counting), Decimal(0)), lang),
        forms={
            line_key(line.line_table, line.row_no): _form(line, claim, draft, t)
            for line in claim.lines
            if _paid(line) > 0 and "decide" in acts
        },
        decided={view.anchor: view for view in views if view.anchor},
        revision=str(case.revision) if case else "",
        error=error or (draft.error if draft else ""),
    )


def allowed_acts(case: Case | None, user: User, *, scored: bool) -> frozenset[Act]:
    """What the reader may do with the claim's case now: both the person and the state must allow it."""
    if case is None:
        return frozenset({"take"} if scored and "cases.work" in user.permissions else ())
    acts: set[Act] = set()
    if case.status in (CaseStatus.NEW, CaseStatus.REOPENED) and can_take(case, user):
        acts.add("take")
    if can_decide(case, user):
        if case.status in (CaseStatus.TAKEN, CaseStatus.DECIDED):
            acts |= {"decide", "accept"}
        if case.deciders and case.status in (CaseStatus.TAKEN, CaseStatus.DECIDED):
            acts.add("undo")
        if case.status is CaseStatus.TAKEN:
            acts |= {"release", "ask"}
        if case.status is CaseStatus.WAITING_FACILITY:
            acts.add("answered")
    if can_move(case, CaseStatus.CONCLUDED) and can_conclude(case, user):
        acts |= {"conclude", "send_back"}
    if can_move(case, CaseStatus.REOPENED) and can_reopen(case, user):
        acts.add("reopen")
    return frozenset(acts)


def read_draft(form: Mapping[str, str], picked: Collection[str], lines: Sequence[ClaimLine], *, lang: Lang) -> Draft:
    """The decisions of a form. Every fault is said at its field; nothing is dropped."""
    t = Words(lang)
    known = {line_key(line.line_table, line.row_no): line for line in lines}
    drafts: dict[str, DraftLine] = {}
    made: list[LineDecision] = []
    for key in sorted(set(picked) & known.keys(), key=lambda k: (known[k].line_table == "drug_line", known[k].row_no)):
        draft, decision = _read_line(key, form, known[key], t)
        drafts[key] = draft
        if decision is not None:
            made.append(decision)
    return Draft(lines=drafts, decisions=tuple(made), error="" if drafts else t("decide.nothing_picked"))


def whole_claim(claim: ClaimDetail, note: str, *, lang: Lang) -> LineDecision:
    """The whole claim accepted as it is. Raises BadText for a note that cannot be kept."""
    reason = note.strip() or Words(lang)("decide.accept_reason")
    paid = claim.row.t_bhtt if claim.row else Decimal(claim.encounter.get("t_bhtt") or 0)
    return LineDecision(outcome="accepted", amount_before=paid, amount_refused=Decimal(0), reason=reason)


def _read_line(key: str, form: Mapping[str, str], line: ClaimLine, t: Words) -> tuple[DraftLine, LineDecision | None]:
    typed = {name: form.get(f"{name}:{key}", "").strip() for name in ("outcome", "amount", "reason", "note", "law")}
    paid = _paid(line)
    amount = Decimal(0) if typed["outcome"] == "accepted" else parse_money(typed["amount"])
    outcome: Outcome = "adjusted" if typed["outcome"] == "adjusted" else "refused"
    if typed["outcome"] == "accepted":
        outcome = "accepted"
    amount_error = ""
    if amount is None:
        amount_error = t("decide.bad_amount")
    elif amount > paid and amount.quantize(Decimal(1)) > paid.to_integral_value(rounding="ROUND_CEILING"):
        amount_error = t("decide.too_much", most=money(paid, t.lang))
    elif outcome != "accepted" and amount == 0:
        amount_error = t("decide.zero")
    error = ""
    if typed["reason"] not in REASONS:
        error = t("decide.choose_reason")
    elif typed["reason"] == "other" and not typed["note"]:
        error = t("decide.say_other")
    if error or amount_error or amount is None:
        return DraftLine(**typed, error=error, amount_error=amount_error), None
    words = [t(f"refusal.{typed['reason']}")] if outcome != "accepted" else [t("decide.line_accepted")]
    try:
        decision = LineDecision(
            outcome=outcome,
            amount_before=paid,
            amount_refused=min(amount, paid),
            reason=": ".join([*words, typed["note"]] if typed["note"] else words),
            line_table=line.line_table,
            row_no=line.row_no,
            legal_basis=typed["law"] or None,
        )
    except MinhBachError as bad:
        return DraftLine(**typed, error=bad.vi if t.lang == "vi" else str(bad)), None
    return DraftLine(**typed), decision


def _form(line: ClaimLine, claim: ClaimDetail, draft: Draft | None, t: Words) -> LineForm:
    key = line_key(line.line_table, line.row_no)
    paid = _paid(line)
    most = {"most": money(paid, t.lang), "most_plain": str(paid)}
    if draft and (typed := draft.lines.get(key)):
        return LineForm(
            picked=True,
            outcome=typed.outcome,
            amount=typed.amount,
            reason=typed.reason,
            note=typed.note,
            law=typed.law,
            error=typed.error,
            amount_error=typed.amount_error,
            **most,
        )
    strongest = line.signals[0] if line.signals else None
    named = lines_named(claim).get(key)
    scheme = strongest.scheme if strongest else named.get("scheme") if named else None
    amount = line.amount_at_risk or paid
    return LineForm(
        picked=False,
        outcome="refused" if amount >= paid else "adjusted",
        amount=number(amount, t.lang),
        reason=_SCHEME_REASONS.get(str(scheme), ""),
        note=signal_text(strongest, t) if strongest else evidence_text(named, t) if named else "",
        law=_law(strongest.source, claim) if strongest else str((named or {}).get("legal_basis") or ""),
        error="",
        amount_error="",
        **most,
    )


def _law(source: str, claim: ClaimDetail) -> str:
    return next(
        (
            str(item["legal_basis"])
            for item in claim.evidence
            if item.get("source") == source and item.get("legal_basis")
        ),
        "",
    )


def _paid(line: ClaimLine) -> Decimal:
    return line.fields.get("t_bhtt") or Decimal(0)


def _decision(d: Decision, names: Mapping[str, str], t: Words, *, undo: bool) -> DecisionView:
    key = line_key(d.line_table, d.row_no) if d.line_table and d.row_no is not None else ""
    return DecisionView(
        id=d.id,
        line=names.get(key, key) or t("decide.whole_claim"),
        anchor=key.replace(":", "-"),
        outcome=t(f"outcome.{d.outcome}"),
        tone={"accepted": "done", "adjusted": "wait", "refused": "stop"}.get(d.outcome, "plain"),
        before=money(d.amount_before, t.lang),
        refused=money(d.amount_refused, t.lang),
        reason=d.reason,
        legal_basis=d.legal_basis or "",
        by=d.decided_by,
        at=moment(d.decided_at),
        undo=undo,
    )


def _facts(case: Case | None, t: Words) -> tuple[tuple[str, str], ...]:
    if case is None:
        return ()
    facts = [
        (t("case.assignee"), case.assignee or ABSENT),
        (t("case.opened"), f"{case.opened_by}, {moment(case.opened_at)}"),
    ]
    if case.answer_due:
        facts.append((t("case.answer_due"), day(case.answer_due)))
    if case.concluded_by:
        facts.append((t("case.concluded"), f"{case.concluded_by}, {moment(case.concluded_at)}"))
    return tuple(facts)


def _hint(case: Case | None, acts: frozenset[Act], user: User, t: Words) -> str:
    if "cases.work" not in user.permissions:
        return t("case.hint_read_only")
    if case is None or case.status in (CaseStatus.NEW, CaseStatus.REOPENED):
        return t("case.hint_take") if "take" in acts else ""
    if case.status is CaseStatus.DECIDED and user.name in case.deciders:
        return t("case.hint_second_person")
    if case.status is CaseStatus.DECIDED and "conclude" in acts:
        return t("case.hint_conclude")
    if "decide" in acts:
        return t("case.hint_decide")
    if case.status in (CaseStatus.TAKEN, CaseStatus.WAITING_FACILITY):
        return t("case.hint_held", who=case.assignee or ABSENT)
    return ""
