"""The rule book in words: the board and one rule's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.web.formats import ABSENT, Lang, day, moment, money, number, percent, short_money
from service.web.names import scheme_name
from service.web.texts import Words

if TYPE_CHECKING:
    from detectors.base import Example, Rule
    from detectors.switches import Switches
    from models.efficacy import Efficacy
    from service.rule_desk import SnoozeRecord, SwitchEvent

TONES = {"deny": "stop", "warn": "wait", "info": "done"}
STANDING_TONES = {"propose_shadow": "wait", "earning": "done", "new": "", "silent": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalView:
    """A confirmed share with its interval, as a line of 100 units."""

    low: float
    high: float
    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """One rule of the board."""

    id: str
    href: str
    title: str
    scheme: str
    severity: str
    tone: str
    claims: str
    shadow: str
    amount: str
    decided: str
    confirmed: IntervalView | None
    alone: str
    most_like: str
    months: tuple[tuple[float, str], ...]  # height of a bar of 18, and what it says
    standing: str
    standing_tone: str
    state: str  # off or shadow, and where; empty when it speaks everywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardView:
    """The page of all rules."""

    count: str
    speaking: tuple[RowView, ...]
    silent: tuple[RowView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    """The page of one rule."""

    row: RowView
    version: str
    reason: str
    law: str
    known_gaps: str
    in_force: str
    parameters: tuple[tuple[str, str], ...]
    needs: tuple[str, ...]
    catalogues: tuple[str, ...]
    examples: tuple[tuple[str, str, str, str], ...]  # tone, answer, title, money
    switches: tuple[tuple[str, str, str, str], ...]  # when, state and place, by, reason
    snoozes: tuple[tuple[str, str, str, str, str], ...]  # entity, until, state, people, reason


def board_view(found: Sequence[Efficacy], switches: Switches, *, lang: Lang) -> BoardView:
    """Rules that name something first; those that name nothing are folded away."""
    t = Words(lang)
    rows = [(each, _row(each, switches, t)) for each in found]
    return BoardView(
        count=number(len(rows), lang),
        speaking=tuple(row for each, row in rows if each.standing != "silent"),
        silent=tuple(row for each, row in rows if each.standing == "silent"),
    )


def rule_view(
    rule: Rule,
    figures: Efficacy | None,
    switches: Sequence[SwitchEvent],
    snoozes: Sequence[SnoozeRecord],
    *,
    lang: Lang,
) -> RuleView:
    """Everything there is to say about one rule."""
    from detectors.switches import Switches

    t = Words(lang)
    vi = lang == "vi"
    return RuleView(
        row=_row(figures, Switches(), t) if figures else _bare(rule, t),
        version=number(rule.version, lang),
        reason=_readable(rule.reason_vi if vi else rule.reason_en),
        law=rule.legal_basis,
        known_gaps=rule.known_gaps_vi if vi else rule.known_gaps_en,
        in_force=t("rules.period", since=day(rule.valid_from), until=day(rule.valid_to)),
        parameters=tuple((name, _value(value, lang)) for name, value in rule.parameters.items()),
        needs=rule.needs,
        catalogues=rule.catalogues,
        examples=tuple(_example(e, t) for e in rule.examples),
        switches=tuple(
            (moment(e.at), t(f"rule_state.{e.state}", where=e.province or t("rules.everywhere")), e.by, e.reason)
            for e in switches
        ),
        snoozes=tuple(
            (
                f"{t(f'rule_level.{s.level}')} {s.entity}",
                day(s.until),
                t("rules.snooze_ended" if s.ended_by else "rules.snooze_on" if s.in_force else "rules.snooze_asked"),
                " · ".join(filter(None, (s.asked_by, s.approved_by, s.ended_by))),
                s.reason,
            )
            for s in snoozes
        ),
    )


def _row(each: Efficacy, switches: Switches, t: Words) -> RowView:
    lang = t.lang
    rule_id = each.rule.partition("@")[0]
    interval = None
    if each.confirmed is not None and each.confirmed_low is not None and each.confirmed_high is not None:
        interval = IntervalView(
            low=round(100 * each.confirmed_low, 1),
            high=round(100 * (each.confirmed_high - each.confirmed_low), 1),
            at=round(100 * each.confirmed, 1),
            text=t(
                "rules.confirmed_text",
                share=percent(each.confirmed, lang, places=0),
                low=percent(each.confirmed_low, lang, places=0),
                high=percent(each.confirmed_high, lang, places=0),
            ),
        )
    top = max([1, *each.months])
    return RowView(
        id=each.rule,
        href=f"/rules/{rule_id}",
        title=each.title_vi if lang == "vi" else each.title_en,
        scheme=scheme_name(each.scheme, lang),
        severity=t(f"rule_severity.{each.severity}"),
        tone=TONES[each.severity],
        claims=number(each.claims, lang),
        shadow=number(each.shadow_claims, lang) if each.shadow_claims else "",
        amount=short_money(each.amount, lang),
        decided=number(each.decided, lang) if each.decided else ABSENT,
        confirmed=interval,
        alone=number(each.alone, lang),
        most_like=f"{each.most_like} {percent(each.most_like_share, lang, places=0)}" if each.most_like else "",
        months=tuple((round(18 * n / top, 1), number(n, lang)) for n in each.months),
        standing=t(f"rule_standing.{each.standing}"),
        standing_tone=STANDING_TONES[each.standing],
        state=_state(rule_id, switches, t),
    )


def _state(rule_id: str, switches: Switches, t: Words) -> str:
    own = [s for s in switches.switches if s.rule == rule_id]
    return "; ".join(t(f"rule_state.{s.state}", where=s.province or t("rules.everywhere")) for s in own)


def _bare(rule: Rule, t: Words) -> RowView:
    """The head of a rule's page before anything was scored."""
    return RowView(
        id=rule.ref, href=f"/rules/{rule.id}", title=rule.title_vi if t.lang == "vi" else rule.title_en,
        scheme=scheme_name(rule.scheme, t.lang), severity=t(f"rule_severity.{rule.severity}"),
        tone=TONES[rule.severity], claims=ABSENT, shadow="", amount=ABSENT, decided=ABSENT, confirmed=None,
        alone=ABSENT, most_like="", months=(), standing=t("rule_standing.silent"), standing_tone="", state="",
    )  # fmt: skip


def _readable(reason: str) -> str:
    """The sentence of a sign with its figures left open."""
    for name in ("observed", "allowed", "amount", "n"):
        reason = reason.replace(f"{{{name}}}", "…")
    return reason


def _example(example: Example, t: Words) -> tuple[str, str, str, str]:
    tone = {"hit": "stop", "clear": "done", "not_evaluable": "wait"}[example.kind]
    return (
        tone,
        t(f"rule_example.{example.kind}"),
        example.title_vi if t.lang == "vi" else example.title_en,
        money(example.amount, t.lang) if example.amount else "",
    )


def _value(value: Any, lang: Lang) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return number(value, lang, places=4)
    if isinstance(value, Mapping):
        return "; ".join(f"{k}: {_value(v, lang)}" for k, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_value(v, lang) for v in value)
    return str(value)
