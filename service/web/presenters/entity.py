"""An entity in words and pictures: its place in the run, the parts of its score, growth in parts, levels by month.

Pure: numbers in, words and lengths out. The pictures are SVG drawn by the template from these lengths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from service.web.formats import Lang, number, place, short_money
from service.web.names import scheme_name
from service.web.presenters.worklist import run_line
from service.web.texts import Words

if TYPE_CHECKING:
    from service.reading import EntityDetail, RunInfo

PARTS = ("volume", "mix", "coding", "price", "residual")
HALF = 100.0  # units from the middle line of a picture to either side
STEP, WIDTH, HEIGHT = 10, 7, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A figure at the head of the page."""

    label: str
    value: str
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorePart:
    """What one measure adds to the log-odds, as it is kept: the parts add up to the last digit."""

    label: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartBar:
    """One part of the growth: its bar runs from the middle, to the right where it added money."""

    label: str
    amount: str
    help: str
    x: float
    width: float
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthView:
    """Growth of what is paid, in parts that add up to it."""

    text: str
    degree: str
    total: str
    parts: tuple[PartBar, ...]
    shocks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthBar:
    """A month: the entity's level as a bar, that of others as a mark."""

    x: int
    y: float
    height: float
    mark: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthsView:
    """Levels of cost by month, oldest first."""

    bars: tuple[MonthBar, ...]
    width: int
    height: int
    label: str
    first: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityView:
    """All that the page shows."""

    heading: str
    entity_id: str
    name: str
    run: str
    flagged: bool
    gauges: tuple[Gauge, ...]
    reasons: tuple[str, ...]
    cost: str  # paid beside what like claims come to; "" where that is not known
    schemes: tuple[str, ...]
    parts: tuple[ScorePart, ...]
    parts_sum: str
    claims_href: str
    growth: GrowthView | None
    changes: tuple[str, ...]
    months: MonthsView | None


def entity_href(level: str, entity_id: str) -> str:
    """Where the page of a doctor or a facility is."""
    return f"/{'doctors' if level == 'doctor' else 'facilities'}/{quote(entity_id, safe=':')}"


def entity_view(found: EntityDetail, run: RunInfo, name: str | None, *, lang: Lang) -> EntityView:
    """What a page or a command shows of `found`; `name` is its facility's."""
    t, row = Words(lang), found.row
    evidence: Mapping[str, Any] = found.evidence[0] if found.evidence else {}
    facility, _, doctor = row.entity_id.partition(":")
    growth, months = evidence.get("growth"), evidence.get("months")
    return EntityView(
        heading=t(f"entity_level.{row.level}"),
        entity_id=row.entity_id,
        name=name or "",
        run=run_line(run, lang),
        flagged=row.flagged,
        gauges=(
            Gauge(label=t("column.rank"), value=number(row.rank, lang)),
            Gauge(label=t("column.score"), value=place(row.score, lang), strong=True),
            Gauge(label=t("total.claims"), value=number(row.claims, lang)),
            Gauge(label=t("column.t_bhtt"), value=short_money(row.t_bhtt, lang)),
            Gauge(label=t("column.at_risk"), value=short_money(row.amount_at_risk, lang)),
            Gauge(label=t("column.recoverable"), value=short_money(row.expected_recoverable, lang), strong=True),
        ),
        reasons=tuple(_sentence(s) for s in (row.reasons_vi if lang == "vi" else row.reasons_en).split("; ") if s),
        cost=_cost(evidence, row.level, t),
        schemes=tuple(scheme_name(scheme, lang) for scheme in row.schemes),
        parts=tuple(_part(measure, t) for measure in evidence.get("measures") or ()),
        parts_sum=_weight(evidence.get("log_odds") or 0.0, lang),
        claims_href="/?" + urlencode({"facility": facility} | ({"text": doctor} if doctor else {})),
        growth=_growth(growth, t) if growth else None,
        changes=tuple(_sentence(change[f"text_{lang}"]) for change in evidence.get("changes") or ()),
        months=_months(months, t) if months else None,
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _cost(evidence: Mapping[str, Any], level: str, t: Words) -> str:
    """Observed beside expected, the expected at the level of everyone, as in the sentence about dear entities."""
    peers = next((m["peers"] for m in evidence.get("measures") or () if m["measure"] == "above_expected"), None)
    if not peers or not evidence.get("expected"):
        return ""
    observed, excess = evidence["observed"], evidence["excess"]
    return t(
        "entity.cost",
        observed=short_money(observed, t.lang),
        usual=short_money(observed - excess, t.lang),
        peers=number(peers, t.lang),
        who=t(f"entity_peers.{level}"),
        excess=_added(excess, t.lang),
    )


def _part(measure: Mapping[str, Any], t: Words) -> ScorePart:
    text = measure[f"text_{t.lang}"]
    if text is None:
        text = t(f"score_part.{measure['measure']}", value=short_money(measure["value"], t.lang))
    return ScorePart(label=f"{text[:1].upper()}{text[1:]}", amount=_weight(measure["contribution"], t.lang))


def _weight(log_odds: float, lang: Lang) -> str:
    return ("+" if log_odds > 0 else "") + number(log_odds, lang, places=6)


def _growth(given: Mapping[str, Any], t: Words) -> GrowthView:
    top = max(1.0, *(abs(given[part]) for part in PARTS))
    parts: list[PartBar] = []
    for part in PARTS:
        width = round(HALF * abs(given[part]) / top, 2)
        parts.append(
            PartBar(
                label=t(f"growth_part.{part}"),
                amount=_added(given[part], t.lang),
                help=t(f"growth_help.{part}"),
                x=HALF if given[part] >= 0 else round(HALF - width, 2),
                width=width,
                own=part == "residual",
            )
        )
    return GrowthView(
        text=_sentence(given[f"text_{t.lang}"]),
        degree=given["degree"] or "",
        total=_added(given["growth"], t.lang),
        parts=tuple(parts),
        shocks=tuple(given[f"shocks_{t.lang}"] or ()),
    )


def _added(amount: float, lang: Lang) -> str:
    return ("+" if amount > 0 else "") + short_money(amount, lang)


def _months(given: Sequence[Mapping[str, Any]], t: Words) -> MonthsView:
    """Heights on one scale from nought: the highest month of either is the full height."""
    top = max(max(month["level"] or 0.0, month["peers"]) for month in given)
    bars: list[MonthBar] = []
    for n, month in enumerate(given):
        level = month["level"] or 0.0
        height = round(HEIGHT * level / top, 2)
        title = t(
            "entity.month_title",
            month=_month(month["month"]),
            level=number(level, t.lang, places=2),
            peers=number(month["peers"], t.lang, places=2),
            claims=number(month["claims"], t.lang),
        )
        mark = round(HEIGHT * (1 - month["peers"] / top), 2)
        bars.append(MonthBar(x=n * STEP, y=round(HEIGHT - height, 2), height=height, mark=mark, title=title))
    return MonthsView(
        bars=tuple(bars),
        width=len(given) * STEP - (STEP - WIDTH),
        height=HEIGHT,
        label=t("entity.months_label"),
        first=_month(given[0]["month"]),
        last=_month(given[-1]["month"]),
    )


def _month(text: str) -> str:
    year, _, month = text.partition("-")
    return f"{month}/{year}"
