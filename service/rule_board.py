"""The efficacy board: rules beside what assessors decided of what they named, within what the asker may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from models.efficacy import DECISION, Efficacy, board
from models.scoring import NothingToScore, runs
from service.accounts import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.lake import Lake, Reader
    from service.cases.model import Label
    from service.cases.store import CaseStore


EVERYWHERE = Scope()


def rule_board(lake: Lake, reader: Reader, cases: CaseStore, scope: Scope = EVERYWHERE) -> list[Efficacy]:
    """Every rule over the claims of the newest ranking within `scope`, with the decisions of concluded cases.

    Raises NothingToScore.
    """
    done = runs(lake)
    if not done:
        raise NothingToScore
    where, params = scope.sql_condition()
    return board(lake, reader, done[-1].run_id, decisions_of(cases.labels()), where=where, params=params)


def decisions_of(labels: Sequence[Label]) -> pl.DataFrame:
    """Final decisions as `models.efficacy` wants them."""
    rows = [(label.ma_cskcb, label.ma_lk, label.line_table, label.row_no, label.amount_refused > 0) for label in labels]
    return pl.DataFrame(rows, schema=DECISION, orient="row")
