"""What ran, with which model and which rules."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from detectors.base import rules
from service.accounts import User
from service.api import shapes
from service.api.access import AppDep, allowed
from service.model_lessons import lessons_of
from service.rule_board import rule_board

MAY_READ_RUNS = Depends(allowed("runs.read"))
MAY_READ_MODELS = Depends(allowed("models.read"))
ModelReader = Annotated[User, MAY_READ_MODELS]
router = APIRouter(prefix="/api/v1", tags=["runs"])


@router.get("/runs", dependencies=[MAY_READ_RUNS])
def all_runs(app: AppDep) -> shapes.RunList:
    """Every scoring run, newest first."""
    return shapes.RunList(items=[shapes.Run.model_validate(run) for run in app.reading.runs()])


@router.get("/runs/{run_id}", dependencies=[MAY_READ_RUNS])
def one_run(app: AppDep, run_id: str) -> shapes.Run:
    """One scoring run with its manifest."""
    return shapes.Run.model_validate(app.reading.run(run_id))


@router.get("/models", dependencies=[MAY_READ_MODELS])
def models(app: AppDep) -> shapes.Models:
    """Which model version is in use, what it learned from decisions, and the history of all."""
    aliases = app.models.aliases(app.clock())
    return shapes.Models(
        aliases=aliases,
        lessons=[shapes.ModelLessons.model_validate(each) for each in lessons_of(app.registry, aliases)],
        history=[shapes.ModelEvent.model_validate(event) for event in app.models.history()],
    )


@router.get("/rules", dependencies=[MAY_READ_MODELS])
def all_rules() -> shapes.RuleList:
    """The rule catalogue."""
    return shapes.RuleList(items=[shapes.Rule.model_validate(rule) for rule in rules()])


@router.get("/rules/board")
def rules_board(app: AppDep, user: ModelReader) -> shapes.RuleBoard:
    """What each rule names in the newest ranking within your area, what was confirmed of it, and whom it repeats."""
    found = rule_board(app.lake, app.reading.newest(), app.cases, user.scope)
    return shapes.RuleBoard(items=[shapes.RuleEfficacy.model_validate(each.as_json()) for each in found])
