"""Data quality in words: scorecards, software tickets, the letter that goes to the facility, small pictures of months.

Pure: numbers in, words and lengths out. The pictures are SVG drawn by the template from these lengths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.schema import fields, source_of
from service.web.formats import ABSENT, Lang, day, number, percent
from service.web.presenters.worklist import claim_href
from service.web.texts import Words

if TYPE_CHECKING:
    from data.quality import (
        Example,
        FacilityCard,
        FacilityScore,
        FaultScore,
        FileFault,
        Month,
        Scorecard,
        Shared,
        TableScore,
        Ticket,
    )

MONTHS = 13
BAR_STEP, BAR_WIDTH, BAR_HEIGHT = 10, 7, 24
LOUD = 0.05  # a bar of this share is full height at least: small faults look small
LETTER_VALUE = 60
FEW = 50  # facilities shown at once; the others, and those without any fault, unfold


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One month of a picture, in units of its view box."""

    x: int
    y: float
    width: int
    height: float
    title: str
    faulty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A picture of months, oldest first, and what it says to who cannot see it."""

    bars: tuple[Bar, ...]
    width: int
    height: int
    label: str
    first: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A figure at the head of a page."""

    label: str
    value: str
    title: str = ""
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleView:
    """A faulty row."""

    ma_lk: str
    href: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketView:
    """A software ticket."""

    ticket_id: str
    anchor: str
    href: str
    facility: str
    name: str
    field: str
    field_name: str
    hint: str
    severity: str
    severity_tone: str
    mask: str
    state: str
    state_tone: str
    period: str
    extent: str
    share: str
    elsewhere: str
    also: str
    examples: tuple[ExampleView, ...]
    letter: tuple[str, ...]
    trend: Trend | None
    slight: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedView:
    """A fault that most facilities have."""

    field: str
    hint: str
    severity: str
    severity_tone: str
    period: str
    extent: str
    facilities: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileView:
    """A fault of files."""

    code: str
    hint: str
    severity: str
    times: str
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityView:
    """One facility of the list."""

    code: str
    name: str
    href: str
    score: str
    score_width: float
    low: bool
    rows: str
    claims: str
    quarantined: str
    quarantined_share: str
    per_hundred: str
    tickets: str
    trend: Trend


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """One table of a facility."""

    source: str
    score: str
    score_width: float
    low: bool
    rows: str
    quarantined: str
    per_hundred: str
    trend: Trend


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultView:
    """One check that failed at a facility."""

    field: str
    field_name: str
    hint: str
    severity: str
    severity_tone: str
    slight: bool
    ticket: str
    shared: bool
    period: str
    extent: str
    share: str
    trend: Trend
    examples: tuple[ExampleView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A month to choose."""

    value: str
    label: str
    selected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityView:
    """The page of all facilities."""

    gauges: tuple[Gauge, ...]
    months: tuple[Option, ...]
    facilities: tuple[FacilityView, ...]
    more_facilities: tuple[FacilityView, ...]
    tickets: tuple[TicketView, ...]
    slight_tickets: tuple[TicketView, ...]
    shared: tuple[SharedView, ...]
    files: tuple[FileView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityQualityView:
    """The page of one facility."""

    code: str
    name: str
    href: str
    gauges: tuple[Gauge, ...]
    months: tuple[Option, ...]
    tickets: tuple[TicketView, ...]
    tables: tuple[TableView, ...]
    faults: tuple[FaultView, ...]
    slight_faults: tuple[FaultView, ...]


def quality_view(card: Scorecard, *, lang: Lang, claims: bool) -> QualityView:
    """All facilities. `claims`: the reader may see claims, so examples are shown."""
    t = Words(lang)
    months = _newest(m for f in card.facilities for m in f.months)
    names = {f.ma_cskcb: f.name for f in card.facilities}
    tickets = [ticket_view(ticket, names.get(ticket.ma_cskcb), lang=lang, claims=claims) for ticket in card.tickets]
    rows = [_facility(f, months, t) for f in card.facilities]
    faulty = sum(1 for f in card.facilities if f.warned + f.refused)  # worst first: the clean ones stand last
    first = min(FEW, faulty) or min(FEW, len(rows))
    read = sum(f.rows_read for f in card.facilities)
    refused = sum(f.quarantined for f in card.facilities)
    faults = sum(f.warned + f.refused for f in card.facilities)
    still = sum(ticket.open for ticket in card.tickets)
    return QualityView(
        gauges=(
            Gauge(label=t("quality.score"), value=_score(read, faults, t), title=t("quality.score_help")),
            Gauge(label=t("quality.facilities_n"), value=number(len(rows), lang)),
            Gauge(label=t("quality.rows"), value=number(read, lang)),
            Gauge(label=t("quality.quarantined"), value=_with_share(refused, read, lang)),
            Gauge(label=t("quality.per_hundred"), value=_per_hundred(faults, read, lang)),
            Gauge(label=t("quality.open_tickets"), value=number(still, lang), strong=still > 0),
        ),
        months=_options(months, card.month, t),
        facilities=tuple(rows[:first]),
        more_facilities=tuple(rows[first:]),
        tickets=tuple(view for view in tickets if not view.slight),
        slight_tickets=tuple(view for view in tickets if view.slight),
        shared=tuple(_shared(shared, t) for shared in card.shared),
        files=tuple(_file(file, t) for file in card.files),
    )


def facility_view(card: FacilityCard, *, lang: Lang, claims: bool) -> FacilityQualityView:
    """One facility. `claims` as in `quality_view`."""
    t = Words(lang)
    own = card.facility
    months = _newest(own.months)
    trends = {fault.check_id: _trend(fault.months, months, t) for fault in card.faults}
    faults = [_fault(fault, trends[fault.check_id], own.ma_cskcb, t, claims=claims) for fault in card.faults]
    wrong = own.warned + own.refused
    return FacilityQualityView(
        code=own.ma_cskcb,
        name=own.name or "",
        href=f"/quality/{own.ma_cskcb}",
        gauges=(
            Gauge(label=t("quality.score"), value=_score(own.rows_read, wrong, t), title=t("quality.score_help")),
            Gauge(label=t("quality.claims"), value=number(own.claims, lang)),
            Gauge(label=t("quality.rows"), value=number(own.rows_read, lang)),
            Gauge(label=t("quality.quarantined"), value=_with_share(own.quarantined, own.rows_read, lang)),
            Gauge(label=t("quality.warned"), value=number(own.warned, lang)),
            Gauge(label=t("quality.per_hundred"), value=_per_hundred(wrong, own.rows_read, lang)),
            Gauge(label=t("quality.open_tickets"), value=number(own.open_tickets, lang), strong=own.open_tickets > 0),
        ),
        months=_options(months, card.month, t),
        tickets=tuple(
            ticket_view(ticket, own.name, lang=lang, claims=claims, trend=trends.get(ticket.check_id))
            for ticket in card.tickets
        ),
        tables=tuple(_table(table, months, t) for table in card.tables),
        faults=tuple(view for view in faults if not view.slight),
        slight_faults=tuple(view for view in faults if view.slight),
    )


def ticket_view(
    ticket: Ticket, name: str | None, *, lang: Lang, claims: bool, trend: Trend | None = None
) -> TicketView:
    """One ticket. `name` of the facility."""
    t = Words(lang)
    share = percent(ticket.share, lang)
    return TicketView(
        ticket_id=ticket.ticket_id,
        anchor=ticket.check_id,
        href=f"/quality/{ticket.ma_cskcb}#{ticket.check_id}",
        facility=ticket.ma_cskcb,
        name=name or "",
        field=f"{ticket.source}.{ticket.field.upper()}",
        field_name=_field_name(ticket.source, ticket.field, lang),
        hint=ticket.hint_vi if lang == "vi" else ticket.hint_en,
        severity=t(f"severity.{ticket.severity}"),
        severity_tone=_TONES[ticket.severity],
        mask=t(f"mask.{ticket.mask}") if ticket.mask else "",
        state=t("quality.open" if ticket.open else "quality.mended"),
        state_tone="wait" if ticket.open else "done",
        period=_period(ticket, t),
        extent=t("quality.extent_text", failed=number(ticket.failed, lang), claims=number(ticket.claims, lang)),
        share=t("quality.share_claims" if ticket.unit == "claims" else "quality.share_rows", share=share),
        elsewhere=t("quality.elsewhere_none")
        if ticket.elsewhere is None
        else t("quality.elsewhere", share=percent(ticket.elsewhere, lang)),
        also=t("quality.also", n=number(ticket.also, lang)) if ticket.also else "",
        examples=_examples(ticket.examples, ticket.ma_cskcb, t) if claims else (),
        letter=letter(ticket, name, lang=lang, claims=claims),
        trend=trend,
        slight=ticket.severity == "info",
    )


def letter(ticket: Ticket, name: str | None, *, lang: Lang, claims: bool = True) -> tuple[str, ...]:
    """The ticket as lines ready to be sent to the facility; an empty line parts paragraphs."""
    t = Words(lang)
    facility = f"{name} ({ticket.ma_cskcb})" if name else ticket.ma_cskcb
    field, hint = ticket.field.upper(), ticket.hint_vi if lang == "vi" else ticket.hint_en
    key = "undated" if ticket.since is None else "open" if ticket.open else "mended"
    share = t(
        "letter.share_claims" if ticket.unit == "claims" else "letter.share_rows", share=percent(ticket.share, lang)
    )
    figures = {"failed": number(ticket.failed, lang), "claims": number(ticket.claims, lang), "share": share}
    dates = {} if ticket.since is None else {"since": day(ticket.since), "until": day(ticket.until)}
    extent = t("letter.extent", **figures)
    if ticket.elsewhere is not None:
        extent += " " + t("letter.elsewhere", share=percent(ticket.elsewhere, lang))
    lines = [
        t("letter.to", facility=facility),
        t("letter.subject", field=field, source=ticket.source),
        "",
        t(f"letter.{key}", **dates),
        extent,
        "",
        t("letter.what", hint=hint),
        t(
            "letter.field",
            source=ticket.source,
            field=field,
            name=_field_name(ticket.source, ticket.field, lang),
        ),
    ]
    shown = [example for example in ticket.examples if example.ma_lk] if claims else []
    if shown:
        lines += ["", t("letter.examples")]
        lines += [
            t("letter.example", n=n, ma_lk=example.ma_lk, details=_details(example, t))
            for n, example in enumerate(shown, 1)
        ]
    lines += ["", t("letter.ask"), t("letter.deadline")]
    if ticket.also:
        lines.append(t("letter.tell_vendor", n=number(ticket.also, lang)))
    lines.append(t("letter.not_verdict"))
    return tuple(lines)


_TONES = {"quarantine": "stop", "warn": "wait", "info": "plain"}


def _facility(own: FacilityScore, months: Sequence[int], t: Words) -> FacilityView:
    faults = own.warned + own.refused
    return FacilityView(
        code=own.ma_cskcb,
        name=own.name or "",
        href=f"/quality/{own.ma_cskcb}",
        score=number(own.score, t.lang, places=1),
        score_width=round(own.score, 1),
        low=own.score < 100 * (1 - LOUD),
        rows=number(own.rows_read, t.lang),
        claims=number(own.claims, t.lang),
        quarantined=number(own.quarantined, t.lang),
        quarantined_share=_share(own.quarantined, own.rows_read, t.lang) if own.quarantined else "",
        per_hundred=_per_hundred(faults, own.rows_read, t.lang),
        tickets=number(own.open_tickets, t.lang) if own.open_tickets else "",
        trend=_trend(own.months, months, t),
    )


def _table(own: TableScore, months: Sequence[int], t: Words) -> TableView:
    return TableView(
        source=own.source,
        score=number(own.score, t.lang, places=1),
        score_width=round(own.score, 1),
        low=own.score < 100 * (1 - LOUD),
        rows=number(own.rows_read, t.lang),
        quarantined=number(own.rows_read - own.rows_loaded, t.lang),
        per_hundred=_per_hundred(own.faults, own.rows_read, t.lang),
        trend=_trend(own.months, months, t),
    )


def _fault(own: FaultScore, trend: Trend, facility: str, t: Words, *, claims: bool) -> FaultView:
    return FaultView(
        field=f"{own.source}.{own.field.upper()}",
        field_name=_field_name(own.source, own.field, t.lang),
        hint=own.hint_vi if t.lang == "vi" else own.hint_en,
        severity=t(f"severity.{own.severity}"),
        severity_tone=_TONES[own.severity],
        slight=own.severity == "info",
        ticket=f"#{own.check_id}" if own.ticket else "",
        shared=own.shared,
        period=_dates(own, t),
        extent=t("quality.extent_text", failed=number(own.failed, t.lang), claims=number(own.claims, t.lang)),
        share=percent(own.share, t.lang),
        trend=trend,
        examples=_examples(own.examples, facility, t) if claims else (),
    )


def _shared(own: Shared, t: Words) -> SharedView:
    return SharedView(
        field=f"{source_of(own.line_table)}.{own.field.upper()}",
        hint=own.hint_vi if t.lang == "vi" else own.hint_en,
        severity=t(f"severity.{own.severity}"),
        severity_tone=_TONES[own.severity],
        period=_dates(own, t),
        extent=t("quality.extent_text", failed=number(own.failed, t.lang), claims=number(own.claims, t.lang)),
        facilities=t("quality.shared_of", n=number(own.facilities, t.lang), asked=number(own.asked, t.lang)),
    )


def _file(own: FileFault, t: Words) -> FileView:
    return FileView(
        code=own.code,
        hint=own.hint_vi if t.lang == "vi" else own.hint_en,
        severity=t(f"severity.{own.severity}"),
        times=t("quality.files_text", times=number(own.times, t.lang), files=number(own.files, t.lang)),
        example=own.example.replace("\\", "/").rpartition("/")[2],
    )


def _examples(examples: Sequence[Example], facility: str, t: Words) -> tuple[ExampleView, ...]:
    return tuple(
        ExampleView(ma_lk=example.ma_lk, href=claim_href(facility, example.ma_lk), text=_details(example, t))
        for example in examples
        if example.ma_lk
    )


def _details(example: Example, t: Words) -> str:
    """Row, day and value of an example, as far as they are known."""
    parts: list[str] = []
    if example.row_no is not None:
        parts.append(t("quality.example_row", row=example.row_no))
    if example.day is not None:
        parts.append(t("quality.example_day", day=day(example.day)))
    if example.value:
        short = example.value if len(example.value) <= LETTER_VALUE else example.value[:LETTER_VALUE] + "…"
        parts.append(t("quality.example_value", value=short))
    return ", ".join(parts)


def _period(ticket: Ticket, t: Words) -> str:
    if ticket.since is None:
        return t("quality.undated")
    if ticket.open:
        return t("quality.since", since=day(ticket.since))
    return t("quality.since_until", since=day(ticket.since), until=day(ticket.until))


def _dates(own: Shared | FaultScore, t: Words) -> str:
    if own.since is None:
        return t("quality.undated")
    return t("quality.since_until", since=day(own.since), until=day(own.until))


def _field_name(source: str, field: str, lang: Lang) -> str:
    """The official name of a field; keys are of XML1."""
    found = next((f for s in (source, "XML1") for f in fields(s) if f.name == field), None)
    return (found.name_vi if lang == "vi" else found.name_en) if found else field.upper()


def _newest(months: Iterable[Month]) -> tuple[int, ...]:
    return tuple(sorted({m.month for m in months})[-MONTHS:])


def _options(months: Sequence[int], chosen: int | None, t: Words) -> tuple[Option, ...]:
    every = sorted(set(months) if chosen is None else {*months, chosen}, reverse=True)
    listed = [Option(value=str(m), label=_month(m), selected=m == chosen) for m in every]
    return (Option(value="", label=t("quality.all_months"), selected=chosen is None), *listed)


def _month(month: int) -> str:
    return f"{month % 100:02d}/{month // 100}"


def _trend(own: Sequence[Month], months: Sequence[int], t: Words) -> Trend:
    """A bar a month: its faults per row, full height at the highest month, or at `LOUD` where all are lower."""
    by_month = {m.month: m for m in own}
    shares = {m.month: m.faults / m.rows for m in own if m.rows and m.month in months}
    top = max([LOUD, *shares.values()])
    bars: list[Bar] = []
    for place, month in enumerate(months):
        found, share = by_month.get(month), shares.get(month)
        if found is None or share is None:
            height, title = 0.0, t("quality.no_rows", month=_month(month))
        else:
            height = max(1.5, round(BAR_HEIGHT * share / top, 2)) if share else 1.0
            title = t(
                "quality.trend_title",
                month=_month(month),
                faults=number(found.faults, t.lang),
                rows=number(found.rows, t.lang),
                share=percent(share, t.lang),
            )
        bars.append(
            Bar(
                x=place * BAR_STEP,
                y=round(BAR_HEIGHT - height, 2),
                width=BAR_WIDTH,
                height=height,
                title=title,
                faulty=bool(share),
            )
        )
    return Trend(
        bars=tuple(bars),
        width=max(1, len(months)) * BAR_STEP - (BAR_STEP - BAR_WIDTH),
        height=BAR_HEIGHT,
        label=t(
            "quality.trend_label",
            last=percent(shares[max(shares)] if shares else None, t.lang),
            most=percent(max(shares.values(), default=None), t.lang),
        ),
        first=_month(months[0]) if months else "",
        last=_month(months[-1]) if months else "",
    )


def _score(rows: int, faults: int, t: Words) -> str:
    from data.quality import score_of

    return number(score_of(rows, faults), t.lang, places=1) if rows else ABSENT


def _share(part: int, whole: int, lang: Lang) -> str:
    return percent(part / whole if whole else None, lang, places=2)


def _with_share(part: int, whole: int, lang: Lang) -> str:
    return f"{number(part, lang)} ({_share(part, whole, lang)})" if part else "0"


def _per_hundred(faults: int, rows: int, lang: Lang) -> str:
    return number(100 * faults / rows if rows else None, lang, places=2)
