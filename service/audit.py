"""The audit log: who did what to which object, when and why. Append only, every entry sealed by the one before.

An entry is written in the transaction of the act it tells of, so both are stored or neither. The chain shows a changed
or missing entry; that the last entries were cut off shows only against an anchor (`AuditHead`) kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text

from data.errors import MinhBachError
from service.db.tables import AuditRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

FIRST_HASH = "0" * 64
LONGEST_TEXT = 4000
_CHAIN_LOCK = 0x4D42_0002  # any number other than the migrations', the same in every process


class BadText(MinhBachError):
    """A text that is to be kept is empty, too long or not printable."""

    code = "bad_text"
    http_status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An act about to be recorded. `before` and `after` hold plain values, amounts and moments."""

    actor: str
    action: str
    object_type: str
    object_id: str
    at: datetime
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError(f"audit entry {self.action}: {self.at} has no time zone")
        if not (self.actor and self.action and self.object_type and self.object_id):
            raise ValueError(f"audit entry {self.action!r}: an act has an actor and an object")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """An entry as stored, with its place in the chain."""

    seq: int
    at: datetime
    actor: str
    action: str
    object_type: str
    object_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    reason: str
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The last entry of a moment: kept outside the database, it proves that nothing before it was cut off."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """What `verify_chain` found."""

    entries: int
    head: AuditHead
    broken_at: int | None  # first sequence number that does not fit
    problem: str | None

    @property
    def intact(self) -> bool:
        """Whether every entry is where and as it was written."""
        return self.broken_at is None


def kept_text(value: str, field: str, *, longest: int = LONGEST_TEXT) -> str:
    """`value` without outer blanks. Raises BadText unless it can be kept and read for ever."""
    kept = value.strip()
    if not kept:
        raise BadText(f"{field} is empty: write a few words", vi=f"Chưa điền {field}: hãy ghi vài chữ")
    if len(kept) > longest:
        raise BadText(
            f"{field} has {len(kept)} characters, at most {longest} are kept",
            vi=f"{field} dài {len(kept)} ký tự, chỉ nhận tối đa {longest}",
        )
    if any(c not in "\n\t\r" and (ord(c) < 32 or 0xD800 <= ord(c) < 0xE000) for c in kept):
        raise BadText(
            f"{field} holds characters that cannot be printed", vi=f"{field} có ký tự không in được: hãy gõ lại"
        )
    return kept


def append(session: Session, entry: AuditEntry) -> AuditRecord:
    """Seal `entry` into the log within the transaction of `session`; writers queue up until it ends."""
    session.flush()  # take the act's own row locks before the queue's, in every transaction alike: no deadlock
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHAIN_LOCK})
    last = head(session)
    seq = last.seq + 1
    before, after = _plain_object(entry.before), _plain_object(entry.after)
    row = AuditRow(
        seq=seq,
        at=entry.at.astimezone(UTC),
        actor=entry.actor,
        action=entry.action,
        object_type=entry.object_type,
        object_id=entry.object_id,
        before=before,
        after=after,
        reason=entry.reason,
        prev_hash=last.hash,
        hash="",
    )
    row.hash = _seal(row)
    session.add(row)
    session.flush()
    return _record(row)


def head(session: Session) -> AuditHead:
    """The newest entry's place and hash; the start of the chain when there is none."""
    found = session.execute(select(AuditRow.seq, AuditRow.hash).order_by(AuditRow.seq.desc()).limit(1)).first()
    return AuditHead(0, FIRST_HASH) if found is None else AuditHead(found.seq, found.hash)


def entries(
    session: Session,
    *,
    object_type: str | None = None,
    object_id: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before_seq: int | None = None,
    limit: int = 50,
) -> list[AuditRecord]:
    """Newest first. `action` also finds the acts below it ("case" finds "case.taken"); `before_seq` turns the page."""
    query = select(AuditRow).order_by(AuditRow.seq.desc()).limit(limit)
    if object_type is not None:
        query = query.where(AuditRow.object_type == object_type)
    if object_id is not None:
        query = query.where(AuditRow.object_id == object_id)
    if actor is not None:
        query = query.where(AuditRow.actor == actor)
    if action is not None:
        query = query.where((AuditRow.action == action) | AuditRow.action.startswith(f"{action}.", autoescape=True))
    if since is not None:
        query = query.where(AuditRow.at >= since)
    if until is not None:
        query = query.where(AuditRow.at < until)
    if before_seq is not None:
        query = query.where(AuditRow.seq < before_seq)
    return [_record(row) for row in session.scalars(query)]


def verify_chain(session: Session, *, anchor: AuditHead | None = None) -> ChainReport:
    """Walk the whole log and seal every entry again. `anchor` is a head noted earlier, which must still be there."""
    expected = AuditHead(0, FIRST_HASH)
    anchored = anchor is None or anchor == expected

    def broken(at: int, problem: str) -> ChainReport:
        return ChainReport(entries=expected.seq, head=expected, broken_at=at, problem=problem)

    query = select(AuditRow).order_by(AuditRow.seq).execution_options(yield_per=1000)
    for row in session.scalars(query):
        if row.seq != expected.seq + 1:
            return broken(expected.seq + 1, f"entry {expected.seq + 1} is missing")
        if row.prev_hash != expected.hash:
            return broken(row.seq, f"entry {row.seq} does not follow entry {expected.seq}")
        if _seal(row) != row.hash:
            return broken(row.seq, f"entry {row.seq} was changed after it was written")
        expected = AuditHead(row.seq, row.hash)
        if anchor is not None and row.seq == anchor.seq:
            if row.hash != anchor.hash:
                return broken(row.seq, f"entry {row.seq} is not the one that was noted earlier")
            anchored = True
    if anchor is not None and not anchored:
        return broken(expected.seq + 1, f"entries {expected.seq + 1} to {anchor.seq} were cut off")
    return ChainReport(entries=expected.seq, head=expected, broken_at=None, problem=None)


def _record(row: AuditRow) -> AuditRecord:
    return AuditRecord(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        action=row.action,
        object_type=row.object_type,
        object_id=row.object_id,
        before=row.before,
        after=row.after,
        reason=row.reason,
        prev_hash=row.prev_hash,
        hash=row.hash,
    )


def _seal(row: AuditRow) -> str:
    sealed = [
        row.prev_hash,
        row.seq,
        row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        row.actor,
        row.action,
        row.object_type,
        row.object_id,
        row.before,
        row.after,
        row.reason,
    ]
    canonical = json.dumps(sealed, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain_object(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if values is None else {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    """What JSON keeps unchanged on a round trip: a Decimal as its digits, a moment as ISO text."""
    match value:
        case Enum():
            return _plain(value.value)
        case None | str() | bool() | int() | float():
            return value
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case list() | tuple():
            return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case _:
            raise TypeError(f"{type(value).__name__} cannot be kept in the audit log: give its text")
