"""What a model version learned from decisions, in words and small pictures. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detectors.base import finders, rules
from detectors.statistical.expected_cost import GROUPS, ExpectedCost
from models.noisy_or import OWN
from service.web.formats import Lang, number
from service.web.texts import Words

if TYPE_CHECKING:
    from models.feedback import Learned
    from service.model_lessons import ModelLessons

SHOWN = 12  # signs before the fold


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonView:
    """One sign or kind of signs. The picture is a line of 100 units: a mark before, a mark after, a band between."""

    name: str
    title: str
    href: str
    before: str
    after: str
    at_before: float
    at_after: float
    low: float
    width: float  # of the band; 0: none is known
    says: str
    decisions: str
    confirmed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonsView:
    """What one version learned; no rows when nothing."""

    version: str
    aliases: tuple[str, ...]
    text: str
    help: str
    levels: tuple[LessonView, ...]
    signs: tuple[LessonView, ...]
    folded: tuple[LessonView, ...]


def lessons_view(found: ModelLessons, *, lang: Lang) -> LessonsView:
    """The section of one version."""
    t, taught = Words(lang), found.lessons
    signs = tuple(_sign(each, t) for each in taught.sources) if taught else ()
    if taught is None:
        text = t("lessons.none" if found.readable else "lessons.away")
    else:
        counts = ("decisions", "confirmed", "claims", "without_sign", "outside")
        told = {name: number(getattr(taught, name), lang) for name in counts}
        learned = t("lessons.text" if signs else "lessons.vain", **told)
        text = f"{learned} {t('lessons.idle', **told)}" if taught.without_sign or taught.outside else learned
    return LessonsView(
        version=str(found.version),
        aliases=found.aliases,
        text=text,
        help=f"{t('lessons.help')} {t('lessons.help_band', weight=number(OWN, lang))}",
        levels=tuple(_level(each, t) for each in taught.levels) if taught else (),
        signs=signs[:SHOWN],
        folded=signs[SHOWN:],
    )


def _level(each: Learned, t: Words) -> LessonView:
    return _view(each, t(f"lesson_level.{each.name}"), "", "", (each.learned, each.learned), t)


def _sign(each: Learned, t: Words) -> LessonView:
    title, href = _title(each.name, t)
    return _view(each, each.name, title, href, each.interval, t)


def _view(each: Learned, name: str, title: str, href: str, band: tuple[float, float], t: Words) -> LessonView:
    low, high = band
    prior, learned, first, last = (number(share, t.lang, places=2) for share in (each.prior, each.learned, low, high))
    return LessonView(
        name=name,
        title=title,
        href=href,
        before=prior,
        after=learned,
        at_before=round(100 * each.prior, 1),
        at_after=round(100 * each.learned, 1),
        low=round(100 * low, 1),
        width=round(100 * (high - low), 1),
        says=t("lessons.band", low=first, high=last) if high > low else "",
        decisions=number(each.decisions, t.lang),
        confirmed=number(each.confirmed, t.lang),
    )


def _title(source: str, t: Words) -> tuple[str, str]:
    """A source in words, and a rule's page: its title, its cost group, what its pattern says; "" of one of before."""
    kind, _, part = source.partition(":")
    if not part:
        rule = next((rule for rule in rules() if rule.id == kind), None)
        return ((rule.title_vi if t.lang == "vi" else rule.title_en), f"/rules/{kind}") if rule else ("", "")
    if kind == ExpectedCost.name:
        group = next((group for group in GROUPS if group.name == part), None)
        label = (group.label_vi if t.lang == "vi" else group.label_en) if group else part
        return t("lessons.excess", name=label), ""
    said = {finder.name: finder.reason_vi if t.lang == "vi" else finder.reason_en for finder in finders()}
    return re.sub(r"\{[^}]*\}", "…", said.get(kind, {}).get(part, "")), ""
