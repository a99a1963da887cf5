"""The rule book as pages: the board of all rules, and each rule with its law, examples and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import Response

from data.errors import MinhBachError
from detectors.base import rules
from models.scoring import NothingToScore
from service.accounts import check_may
from service.reading import NothingScored, UnknownEntity
from service.rule_board import EVERYWHERE, rule_board
from service.web.pages.frame import PageRoute, VisitDep
from service.web.presenters.rules import board_view, rule_view

if TYPE_CHECKING:
    from models.efficacy import Efficacy
    from service.rule_desk import SnoozeRecord

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class NoSuchRule(MinhBachError):
    """A rule id that the book does not have."""

    code, http_status = "unknown_rule", 404


@router.get("/rules")
def overview(visit: VisitDep) -> Response:
    """Every rule, most money within the user's limits first, with what assessors confirmed."""
    check_may(visit.user, "models.read")
    view = board_view(_board(visit), visit.parts.rule_desk.in_force(), lang=visit.lang)
    return visit.page("rules.html", view=view)


@router.get("/rules/{rule_id}")
def one_rule(visit: VisitDep, rule_id: str) -> Response:
    """One rule: what it looks for, by which law, with worked examples."""
    check_may(visit.user, "models.read")
    found = {each.id: each for each in rules()}.get(rule_id.upper())
    if found is None:
        raise NoSuchRule(f"there is no rule {rule_id}", vi=f"không có quy tắc {rule_id}")
    figures = next((e for e in _board(visit) if e.rule == found.ref), None)
    desk = visit.parts.rule_desk
    view = rule_view(
        found,
        figures,
        [e for e in desk.switches() if e.rule == found.id],
        [s for s in desk.snoozes() if s.rule == found.id and _seen(visit, s)],
        lang=visit.lang,
    )
    return visit.page("rule.html", view=view)


def _board(visit: VisitDep) -> list[Efficacy]:
    parts = visit.parts
    try:
        return rule_board(parts.lake, parts.reading.newest(), parts.cases, visit.user.scope)
    except NothingToScore:
        return []


def _seen(visit: VisitDep, snooze: SnoozeRecord) -> bool:
    """Whether the spared doctor, facility or patient is within the user's limits, as on the pages of these."""
    scope = visit.user.scope
    if scope == EVERYWHERE:
        return True
    if snooze.level != "patient":
        return scope.allows(snooze.entity.partition(":")[0])
    try:
        visit.parts.reading.entity("patient", scope, snooze.entity)
    except (UnknownEntity, NothingScored):
        return False
    return True
