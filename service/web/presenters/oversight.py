"""What stands behind the list, in words: the audit trail, the scoring runs, the models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from service.web.formats import ABSENT, Lang, moment, money, number, parse_moment, percent
from service.web.presenters.worklist import claim_href
from service.web.texts import TEXTS, Words

if TYPE_CHECKING:
    from service.audit import AuditRecord, ChainReport
    from service.model_history import ModelEvent
    from service.reading import RunInfo

HASH_SHOWN = 12
_AMOUNTS = frozenset({"t_bhtt", "amount_at_risk", "expected_recoverable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One value that an act changed."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """An entry of the audit trail."""

    seq: str
    at: str
    actor: str
    action: str
    action_id: str
    what: str
    href: str
    changes: tuple[Change, ...]
    reason: str
    seal: str
    seal_whole: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainView:
    """Whether the trail is whole."""

    intact: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A scoring run."""

    run_id: str
    at: str
    model: str
    snapshot: str
    period: str
    encounters: str
    flags: str
    share: str
    threshold: str
    seconds: str
    base: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """A model version and what it is called today."""

    version: str
    aliases: tuple[str, ...]
    registered: str
    by: str
    runs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEventView:
    """A step in the life of a model version."""

    at: str
    version: str
    action: str
    alias: str
    by: str
    reason: str


def audit_view(record: AuditRecord, *, lang: Lang) -> AuditView:
    """One entry of the trail."""
    t = Words(lang)
    claim = str((record.after or {}).get("entity_id") or (record.after or {}).get("claim_id") or "")
    facility, colon, ma_lk = claim.partition(":")
    return AuditView(
        seq=number(record.seq, lang),
        at=moment(record.at),
        actor=record.actor,
        action=_word("action", record.action, t),
        action_id=record.action,
        what=f"{_word('object', record.object_type, t)} {record.object_id}" + (f" · {claim}" if claim else ""),
        href=claim_href(facility, ma_lk) if colon else "",
        changes=_changes(record.before or {}, record.after or {}, t),
        reason="" if record.action == "case.decided" else record.reason,  # its lines say it, each its own
        seal=record.hash[:HASH_SHOWN],
        seal_whole=record.hash,
    )


def chain_view(report: ChainReport, *, lang: Lang) -> ChainView:
    """Whether every entry is where and as it was written."""
    t = Words(lang)
    if report.intact:
        return ChainView(intact=True, text=t("audit.intact", n=number(report.entries, lang)))
    return ChainView(intact=False, text=t("audit.broken", seq=report.broken_at))


def run_view(run: RunInfo, *, lang: Lang) -> RunView:
    """One scoring run."""
    t = Words(lang)
    period = f"{run.since or '…'} – {run.until or '…'}" if run.since or run.until else ""
    return RunView(
        run_id=run.run_id,
        at=moment(parse_moment(run.at)),
        model=ABSENT if run.model_version is None else str(run.model_version),
        snapshot=number(run.snapshot, lang),
        period=period or t("runs.all" if run.every else "runs.changed"),
        encounters=number(run.encounters, lang),
        flags=number(run.flags, lang),
        share=percent(run.flags / run.encounters if run.encounters else None, lang, places=2),
        threshold=ABSENT if run.threshold is None else number(run.threshold, lang, places=4),
        seconds=number(run.seconds, lang, places=1),
        base=run.base_run or "",
    )


def model_views(events: Sequence[ModelEvent], runs: Sequence[RunInfo], *, lang: Lang) -> tuple[ModelView, ...]:
    """Every version the history knows, newest first, with the aliases that point at it now."""
    current: dict[str, int] = {}
    for event in sorted(events, key=lambda e: (e.at, e.id)):
        if event.alias:
            current[event.alias] = event.version
    first: dict[int, ModelEvent] = {}
    for event in sorted(events, key=lambda e: e.id):
        first.setdefault(event.version, event)
    return tuple(
        ModelView(
            version=str(version),
            aliases=tuple(sorted(alias for alias, v in current.items() if v == version)),
            registered=moment(event.at),
            by=event.by,
            runs=number(sum(1 for run in runs if run.model_version == version), lang),
        )
        for version, event in sorted(first.items(), reverse=True)
    )


def model_event_view(event: ModelEvent, *, lang: Lang) -> ModelEventView:
    """One event of the history."""
    return ModelEventView(
        at=moment(event.at),
        version=str(event.version),
        action=Words(lang)(f"model_action.{event.action}"),
        alias=event.alias or "",
        by=event.by,
        reason=event.reason,
    )


def _word(family: str, name: str, t: Words) -> str:
    """The text `family.name`; the name itself for one that came after these texts were written."""
    key = f"{family}.{name}"
    return t(key) if key in TEXTS else name


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], t: Words) -> tuple[Change, ...]:
    names = [*after, *(name for name in before if name not in after)]
    return tuple(
        Change(name=_word("change", name, t), before=_value(name, before, t), after=_value(name, after, t))
        for name in names
        if before.get(name) != after.get(name) and name not in ("entity_id", "claim_id")
    )


def _value(name: str, values: Mapping[str, Any], t: Words) -> str:
    """One value of an entry by its name: amounts as money, codes in words."""
    value = values.get(name)
    if name in _AMOUNTS and value is not None:
        return money(Decimal(str(value)), t.lang)
    if name == "lane" and value is not None:
        return _word("lane", str(value), t)
    return _shown(value, t) or ABSENT


def _decided_line(line: Mapping[str, Any], t: Words) -> str:
    """A decision inside an entry, as one sentence."""
    table, row = line.get("line_table"), line.get("row_no")
    place = f"{t(f'lines.{table}')} {row}" if table else t("decide.whole_claim")
    refused = money(Decimal(str(line.get("amount_refused") or 0)), t.lang)
    parts = (
        t(f"outcome.{line['outcome']}"),
        refused,
        str(line.get("reason") or ""),
        str(line.get("legal_basis") or ""),
    )
    return f"{place}: {' · '.join(part for part in parts if part)}"


def _shown(value: Any, t: Words) -> str:
    match value:
        case {"outcome": _}:
            return _decided_line(value, t)  # pyright: ignore[reportUnknownArgumentType]
        case None:
            return ABSENT
        case str():
            return _word("case_status", value, t)
        case list():
            return "; ".join(_shown(item, t) for item in value)  # pyright: ignore[reportUnknownVariableType]
        case dict():
            items = cast("dict[str, Any]", value)
            return ", ".join(f"{name}: {_shown(item, t)}" for name, item in items.items() if item is not None)
        case _:
            return str(value)
