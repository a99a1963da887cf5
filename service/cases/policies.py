"""Who may do what with a case. `check_x` raises NotPermitted with the reason, `can_x` answers yes or no.

These look at people only; whether the case's status allows the act is the moves' business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.accounts import NotPermitted, can, check_may, check_within

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.accounts import User
    from service.cases.model import Case


def check_can_view(case: Case, user: User) -> None:
    """Raise unless the case lies within the user's provinces and facilities."""
    check_may(user, "cases.read")
    check_within(user, case.ma_cskcb)


def check_can_open(ma_cskcb: str, user: User) -> None:
    """Raise unless the user may open a case about a claim of this facility."""
    check_may(user, "cases.work")
    check_within(user, ma_cskcb)


def check_can_work(case: Case, user: User) -> None:
    """Raise unless the user works on cases of this facility: to take a case, or to write a note."""
    check_can_open(case.ma_cskcb, user)


def check_can_take(case: Case, user: User) -> None:
    """Raise unless the case is free, or the user's already: a lead releases what another holds."""
    check_can_work(case, user)
    if case.assignee not in (None, user.name):
        raise NotPermitted(
            f"case {case.id} is with {case.assignee}; a lead can release it",
            vi=f"Vụ việc {case.id} do {case.assignee} phụ trách; trưởng nhóm có thể thu hồi",
        )


def check_can_decide(case: Case, user: User) -> None:
    """Raise unless the user holds the case or leads: also for undoing, asking the facility and releasing."""
    check_can_work(case, user)
    if case.assignee != user.name and not can(user, "cases.lead"):
        holder_en = f"with {case.assignee}" if case.assignee else "with nobody: take it first"
        holder_vi = f"do {case.assignee} phụ trách" if case.assignee else "chưa có người nhận: hãy nhận trước"
        raise NotPermitted(
            f"case {case.id} is {holder_en}; its holder or a lead decides",
            vi=f"Vụ việc {case.id} {holder_vi}; chỉ người phụ trách hoặc trưởng nhóm quyết định",
        )


def check_can_conclude(case: Case, user: User) -> None:
    """Raise unless the user is a second person: never one whose decision would be concluded."""
    check_can_work(case, user)
    if user.name in case.deciders:
        raise NotPermitted(
            f"{user.name} decided in case {case.id}; a second assessor concludes it",
            vi=f"{user.name} đã quyết định trong vụ việc {case.id}; người thứ hai phải kết luận",
        )


def check_can_reopen(case: Case, user: User) -> None:
    """Raise unless the user leads."""
    check_can_work(case, user)
    check_may(user, "cases.lead")


def can_view(case: Case, user: User) -> bool:
    """Whether `check_can_view` lets pass."""
    return _passes(check_can_view, case, user)


def can_work(case: Case, user: User) -> bool:
    """Whether `check_can_work` lets pass."""
    return _passes(check_can_work, case, user)


def can_take(case: Case, user: User) -> bool:
    """Whether `check_can_take` lets pass."""
    return _passes(check_can_take, case, user)


def can_decide(case: Case, user: User) -> bool:
    """Whether `check_can_decide` lets pass."""
    return _passes(check_can_decide, case, user)


def can_conclude(case: Case, user: User) -> bool:
    """Whether `check_can_conclude` lets pass."""
    return _passes(check_can_conclude, case, user)


def can_reopen(case: Case, user: User) -> bool:
    """Whether `check_can_reopen` lets pass."""
    return _passes(check_can_reopen, case, user)


def _passes(check: Callable[[Case, User], None], case: Case, user: User) -> bool:
    try:
        check(case, user)
    except NotPermitted:
        return False
    return True
