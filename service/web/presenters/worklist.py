"""The worklist in words: rows, filters, sortable headers, pages and totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import urlencode

from service.listing import Listing
from service.web.formats import ABSENT, Lang, day, moment, money, number, parse_moment, place, short_money
from service.web.names import care_type, diagnosis_group, provinces, scheme_name
from service.web.texts import Words

if TYPE_CHECKING:
    from service.reading import Choice, ClaimRow, Facets, Page, RunInfo

SIZE = 50
CHIPS = 2  # schemes named in a row; the rest are counted
MOST_HOURS = 100_000
ROW_NAME = 26  # characters of a diagnosis or facility name that fit a column

SortColumn = Literal["rank", "score", "t_bhtt", "amount_at_risk", "expected_recoverable", "ngay_ra"]
CaseStatus = Literal["new", "taken", "waiting_facility", "decided", "concluded", "reopened"]

TONES: Mapping[str, str] = {
    "new": "plain",
    "taken": "busy",
    "waiting_facility": "wait",
    "decided": "busy",
    "concluded": "done",
    "reopened": "wait",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the reader asked for, as the address says it; anything unreadable in the address is as if absent."""

    text: str = ""
    province: str = ""
    facility: str = ""
    care: str = ""
    scheme: str = ""
    status: str = ""
    pattern: str = ""
    flagged: bool = False
    each: bool = False  # every claim, not one of each pattern
    since: str = ""
    until: str = ""
    hours: str = ""
    sort: str = "rank"
    order: Literal["asc", "desc"] = "asc"
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Filters:
        """Filters of an address."""
        texts = {f.name: query.get(f.name, "").strip()[:80] for f in fields(cls) if f.type == "str"}
        for name, read in (("since", _day), ("until", _day), ("hours", _hours)):
            texts[name] = texts[name] if read(texts[name]) else ""
        sort = texts.pop("sort")
        page = query.get("page", "1")
        return cls(
            **texts,
            flagged=query.get("flagged") == "1",
            each=query.get("each") == "1",
            sort=sort if sort in get_args(SortColumn) else "rank",
            order="desc" if query.get("order") == "desc" else "asc",
            page=max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
        )

    @property
    def first_day(self) -> date | None:
        """First day of discharge wanted."""
        return _day(self.since)

    @property
    def last_day(self) -> date | None:
        """Last day of discharge wanted."""
        return _day(self.until)

    @property
    def listing(self) -> Listing:
        """One claim of each pattern while choosing what to read; every claim where the reader looks for certain ones.

        Who searches, looks at one pattern, or follows cases that were begun must not see one stand for another.
        """
        certain = self.text or self.pattern or self.status not in ("", "new")
        return Listing(one_per_pattern=not (self.each or certain), hours=_hours(self.hours))

    @property
    def active(self) -> bool:
        """Whether anything narrows the list."""
        return replace(self, sort="rank", order="asc", page=1, each=False) != Filters()

    @property
    def ordering(self) -> str | None:
        """The sort as reading takes it: a column, with "-" before it for largest first; None: the list's own order."""
        if self.sort == "rank" and (self.order == "asc" or self.hours):
            return None
        return f"-{self.sort}" if self.order == "desc" else self.sort

    def href(self, **changes: str | int | bool) -> str:
        """The worklist's address with some of the filters changed; defaults are left out."""
        wanted = replace(self, **changes)  # pyright: ignore[reportArgumentType] - names and types are checked by callers
        defaults = Filters()
        query = {
            f.name: "1" if value is True else value
            for f in fields(self)
            if (value := getattr(wanted, f.name)) != getattr(defaults, f.name)
        }
        return f"/?{urlencode(query)}" if query else "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMark:
    """Where the work on a claim stands, for a row of the list."""

    status: str
    assignee: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice of a select box."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """A select box and what is chosen in it."""

    name: str
    label: str
    value: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A header of the list."""

    label: str
    css: str
    href: str | None = None
    aria_sort: str | None = None
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistRow:
    """One claim of the list."""

    href: str
    rank: str
    score: str
    score_width: str
    flagged: bool
    ma_lk: str
    dates: str
    facility: str
    facility_title: str
    doctor: str
    care: str
    care_title: str
    diagnosis: str
    diagnosis_name: str
    diagnosis_title: str
    t_bhtt: str
    at_risk: str
    recoverable: str
    likelihood: str  # empty without a sign
    pace: tuple[str, ...]  # minutes, and money a minute, where hours are the budget
    alike: str  # how many more it stands for; empty: none
    alike_href: str
    reason: str
    schemes: tuple[str, ...]
    more_schemes: int
    more_title: str
    status: str
    status_tone: str
    assignee: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A figure above the list."""

    label: str
    value: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerLink:
    """A step to another page; without `href` there is none."""

    label: str
    rel: str
    href: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Which part of the list is shown."""

    text: str
    links: tuple[PagerLink, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistView:
    """All that the worklist page shows."""

    filters: Filters
    run: str
    selects: tuple[Select, ...]
    columns: tuple[Column, ...]
    rows: tuple[WorklistRow, ...]
    totals: tuple[Total, ...]
    note: str  # how the list is cut, and how to see the rest
    turn: PagerLink | None  # to the other way of listing
    pager: Pager
    empty: str


def worklist_view(
    page: Page[ClaimRow],
    facets: Facets,
    filters: Filters,
    *,
    cases: Mapping[str, CaseMark],
    facilities: Mapping[str, str],
    lang: Lang,
) -> WorklistView:
    """The list as the reader asked for it. `cases` by claim id and `facilities` by code may lack any of them."""
    t = Words(lang)
    return WorklistView(
        filters=filters,
        run=run_line(page.run, lang) if page.run else "",
        selects=_selects(facets, filters, t),
        columns=_columns(filters, t),
        rows=tuple(_row(r, cases.get(r.claim_id), facilities.get(r.ma_cskcb), filters, t) for r in page.rows),
        totals=_totals(page, t),
        note=_note(page, filters, t),
        turn=_turn(filters, t),
        pager=_pager(page, filters, t),
        empty=t("worklist.empty_filtered" if page.run else "worklist.empty_unscored"),
    )


def run_line(run: RunInfo, lang: Lang) -> str:
    """Which run a list comes from, in one line."""
    return Words(lang)(
        "worklist.run",
        run=run.run_id,
        at=moment(parse_moment(run.at)),
        model=ABSENT if run.model_version is None else run.model_version,
        snapshot=run.snapshot,
    )


def status_name(status: str, t: Words) -> str:
    """The state of a case in words."""
    return t(f"case_status.{status}")


def claim_href(ma_cskcb: str, ma_lk: str) -> str:
    """Address of a claim's page."""
    return f"/claims/{_segment(ma_cskcb)}/{_segment(ma_lk)}"


def _segment(text: str) -> str:
    return urlencode({"": text}, safe="").removeprefix("=").replace("+", "%20")


def likelihood_text(likelihood: float, lang: Lang) -> str:
    """How likely at least one sign is confirmed: a share of one, never per cent of guilt; empty without a sign."""
    return number(likelihood, lang, places=2) if likelihood > 0 else ""


def pattern_href(pattern: str) -> str:
    """The list of all claims alike."""
    return Filters(pattern=pattern).href()


def _row(row: ClaimRow, case: CaseMark | None, facility: str | None, filters: Filters, t: Words) -> WorklistRow:
    lang = t.lang
    names = tuple(scheme_name(s, lang) for s in row.schemes)
    group = diagnosis_group(row.ma_benh_chinh, lang)
    status = case.status if case else "new"
    if row.status == "not_evaluable":
        label, tone = t("worklist.not_evaluable"), "wait"
    else:
        label, tone = status_name(status, t), TONES.get(status, "plain")
    return WorklistRow(
        href=claim_href(row.ma_cskcb, row.ma_lk),
        rank=number(row.rank, lang),
        score=place(row.score, lang) if row.status == "scored" else ABSENT,
        score_width=f"{max(0.0, min(1.0, row.score)) * 100:.1f}" if row.status == "scored" else "0",
        flagged=row.flagged,
        ma_lk=row.ma_lk,
        dates=_dates(row),
        facility=facility or row.ma_cskcb,
        facility_title=f"{row.ma_cskcb} · {facility or provinces().get(row.province, row.province)}",
        doctor=row.doctor or ABSENT,
        care=care_type(row.ma_loai_kcb, lang) or ABSENT,
        care_title=f"MA_LOAI_KCB {row.ma_loai_kcb or ABSENT}",
        diagnosis=row.ma_benh_chinh or ABSENT,
        diagnosis_name=group,
        diagnosis_title=f"{row.ma_benh_chinh or ABSENT} {group}".strip(),
        t_bhtt=money(row.t_bhtt, lang),
        at_risk=money(row.amount_at_risk, lang),
        recoverable=money(row.expected_recoverable, lang),
        likelihood=likelihood_text(row.likelihood, lang),
        pace=_pace(row, t) if filters.hours else (),
        alike=t("worklist.alike", n=number(row.alike, lang), sum=short_money(row.alike_recoverable or 0, lang))
        if row.alike
        else "",
        alike_href=filters.href(pattern=row.pattern or "", hours="", page=1),
        reason=row.reason_vi if lang == "vi" else row.reason_en,
        schemes=names[:CHIPS],
        more_schemes=max(0, len(names) - CHIPS),
        more_title="; ".join(names[CHIPS:]),
        status=label,
        status_tone=tone,
        assignee=(case.assignee or "") if case else "",
    )


def _pace(row: ClaimRow, t: Words) -> tuple[str, ...]:
    minutes = t("worklist.minutes", minutes=number(row.minutes, t.lang, places=1))
    return minutes, t("worklist.worth", worth=money(row.worth, t.lang))


def _dates(row: ClaimRow) -> str:
    start, end = day(row.ngay_vao), day(row.ngay_ra)
    if start == end:
        return start
    same_year = row.ngay_vao and row.ngay_ra and row.ngay_vao.year == row.ngay_ra.year
    return f"{start[:5] if same_year else start} – {end}"


def _selects(facets: Facets, filters: Filters, t: Words) -> tuple[Select, ...]:
    lang = t.lang
    named = provinces()

    def options(choices: Sequence[Choice], label: Mapping[str, str]) -> tuple[Option, ...]:
        return tuple(
            Option(value=c.value, label=f"{label.get(c.value, c.value)} ({number(c.claims, lang)})") for c in choices
        )

    statuses = tuple(Option(value=s, label=status_name(s, t)) for s in get_args(CaseStatus))
    offered = (
        (
            "province",
            options(facets.provinces, {c.value: f"{c.value} {named.get(c.value, '')}" for c in facets.provinces}),
        ),
        ("care", options(facets.care_types, {c.value: care_type(c.value, lang) for c in facets.care_types})),
        ("scheme", options(facets.schemes, {c.value: scheme_name(c.value, lang) for c in facets.schemes})),
        ("status", statuses),
    )
    return tuple(
        Select(name=name, label=t(f"filter.{name}"), value=getattr(filters, name), options=choices)
        for name, choices in offered
    )


def _columns(filters: Filters, t: Words) -> tuple[Column, ...]:
    def sortable(name: SortColumn, key: str, css: str, first: Literal["asc", "desc"]) -> Column:
        current = filters.sort == name and not (name == "rank" and filters.ordering is None and filters.hours)
        turned: Literal["asc", "desc"] = "desc" if filters.order == "asc" else "asc"
        arrow = "▲" if filters.order == "asc" else "▼"
        spoken = "ascending" if filters.order == "asc" else "descending"
        return Column(
            label=t(key),
            css=css,
            href=filters.href(sort=name, order=turned if current else first, page=1),
            aria_sort=spoken if current else None,
            mark=f" {arrow}" if current else "",
        )

    return (
        sortable("rank", "column.rank", "c-rank", "asc"),
        sortable("score", "column.score", "c-score", "desc"),
        sortable("ngay_ra", "column.claim_date", "c-claim", "desc"),
        Column(label=t("column.facility_doctor"), css="c-facility"),
        Column(label=t("column.care_diagnosis"), css="c-care"),
        sortable("t_bhtt", "column.t_bhtt", "c-money", "desc"),
        sortable("amount_at_risk", "column.at_risk", "c-money", "desc"),
        sortable("expected_recoverable", "column.recoverable", "c-money", "desc"),
        Column(label=t("column.reason"), css="c-reason"),
        Column(label=t("column.status"), css="c-status"),
    )


def _note(page: Page[ClaimRow], filters: Filters, t: Words) -> str:
    lang, listing = t.lang, filters.listing
    if listing.hours is not None:
        return t("worklist.note_hours", hours=number((page.minutes or 0) / 60, lang, places=1), asked=filters.hours)
    if filters.pattern:
        return t("worklist.note_pattern")
    if page.listed < page.total:
        return t("worklist.note_alike", listed=number(page.listed, lang), total=number(page.total, lang))
    return ""


def _turn(filters: Filters, t: Words) -> PagerLink | None:
    if filters.pattern:
        return PagerLink(label=t("worklist.leave_pattern"), rel="", href=filters.href(pattern="", page=1))
    if filters.each:
        return PagerLink(label=t("worklist.show_grouped"), rel="", href=filters.href(each=False, page=1))
    if filters.listing.one_per_pattern:
        return PagerLink(label=t("worklist.show_each"), rel="", href=filters.href(each=True, page=1))
    return None


def _totals(page: Page[ClaimRow], t: Words) -> tuple[Total, ...]:
    lang = t.lang

    def amount(key: str, value: Decimal) -> Total:
        return Total(label=t(key), value=short_money(value, lang), title=money(value, lang))

    return (
        Total(label=t("total.claims"), value=number(page.total, lang)),
        Total(label=t("total.flagged"), value=number(page.flagged, lang)),
        amount("total.at_risk", page.amount_at_risk),
        amount("total.recoverable", page.expected_recoverable),
    )


def _pager(page: Page[ClaimRow], filters: Filters, t: Words) -> Pager:
    lang = t.lang
    first = (page.page - 1) * page.size + 1
    text = t(
        "pager.text",
        first=number(first, lang),
        last=number(first + len(page.rows) - 1, lang),
        total=number(page.listed, lang),
    )
    before = filters.href(page=page.page - 1) if page.page > 1 else None
    after = filters.href(page=page.page + 1) if page.page < page.pages else None
    return Pager(
        text=text,
        links=(
            PagerLink(label=t("pager.previous"), rel="prev", href=before),
            PagerLink(label=t("pager.next"), rel="next", href=after),
        ),
    )


def _hours(text: str) -> float | None:
    """Hours as people type them, `7,5` or `7.5`; None for what is none, or more than anyone has."""
    whole, _, part = text.replace(",", ".").partition(".")
    if not (whole + part).isascii() or not whole.isdigit() or (part and not part.isdigit()):
        return None
    hours = float(f"{whole}.{part or 0}")
    return hours if 0 < hours <= MOST_HOURS else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
