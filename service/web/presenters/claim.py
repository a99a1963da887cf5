"""One claim in words: who and when, why it is here, what it costs beside its peers, its lines, its past."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from features.peers import label
from service.web.formats import ABSENT, Lang, day, moment, money, number, percent, place, short_money
from service.web.names import care_type, cost_group, department, diagnosis_group, provinces, scheme_name, sex
from service.web.presenters.entity import entity_href
from service.web.presenters.worklist import claim_href, likelihood_text, pattern_href, run_line
from service.web.texts import Words

if TYPE_CHECKING:
    from service.reading import ClaimDetail, ClaimLine, EntityRow, HistoryRow, LineSignal, Peers, Version

LONG = 15  # rows of a table that fit a screen
ASIDE_FIELDS = 6  # named of those that were missing
NOT_EVALUABLE = "not_evaluable"  # kind of evidence: what could not judge the claim
STANDING = "standing"  # kind of evidence: what the claim inherits from its doctor and facility, in its place only
NO_SIGNS = {NOT_EVALUABLE, STANDING}
MONEY_FROM = 100_000  # a figure of a signal this large is VND: quantities, days and minutes stay far below


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A labelled value; `note` says more in small print."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLink:
    """A reference to a line further down the page."""

    href: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One signal: what it says, how many VND, on which law, and what would be usual."""

    heading: str
    text: str
    source: str
    kind: str
    amount: str
    figures: str
    peer: str
    normal_if: str
    legal_basis: str
    lines: tuple[LineLink, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A drug or service line."""

    key: str  # "service_line:3", as forms name it
    anchor: str
    row_no: str
    name: str
    code: str
    group: str
    time: str
    doctor: str
    quantity: str
    price: str
    paid: str
    at_risk: str
    marked: bool
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTable:
    """The lines of one kind and what they add up to."""

    title: str
    lines: tuple[Line, ...]
    marked: int
    paid: str
    at_risk: str
    long: bool  # scrolls by itself, so that what follows stays near


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A test result."""

    name: str
    value: str
    unit: str
    conclusion: str
    time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Another encounter of the same patient, or this one in its place among them."""

    href: str
    label: str
    dates: str
    care: str
    diagnosis: str
    paid: str
    score: str
    flagged: bool
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A version of the claim as it was received."""

    number: str
    state: str
    left: str
    paid: str
    load: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar of the peers' picture, in words for those who do not see it."""

    span: str
    count: str
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PeersView:
    """What like claims cost: one sentence, a picture, and the picture as a table."""

    sentence: str
    spec: str
    facts: tuple[Fact, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A figure of the header."""

    label: str
    value: str
    title: str = ""
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """How the doctor, the facility or the patient of the claim stands in the same run."""

    label: str
    entity: str
    href: str
    text: str
    flagged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimView:
    """All that the claim page shows of the claim itself."""

    href: str
    claim_id: str
    ma_lk: str
    subtitle: str
    run: str
    scored: bool
    flagged: bool
    note: str
    gauges: tuple[Gauge, ...]
    alike: str  # how many other claims say the same; empty: none
    alike_href: str
    facts: tuple[Fact, ...]
    schemes: tuple[str, ...]
    reasons: tuple[Reason, ...]
    standing: tuple[str, ...]  # what moves the claim's place beside its own signs
    aside: tuple[str, ...]  # what could not judge the claim, and for want of which fields
    contexts: tuple[Context, ...]
    tables: tuple[LineTable, ...]
    labs: tuple[Lab, ...]
    labs_long: bool
    history: tuple[Visit, ...]
    history_note: str
    receipts: tuple[Receipt, ...]
    peers: PeersView | None


def claim_view(claim: ClaimDetail, *, facility: str | None, lang: Lang) -> ClaimView:
    """The claim page. `facility` is its name where the catalogue has it."""
    t = Words(lang)
    row = claim.row
    encounter = claim.encounter
    scored = row is not None and row.status == "scored"
    return ClaimView(
        href=claim_href(encounter["ma_cskcb"], encounter["ma_lk"]),
        claim_id=claim.claim_id,
        ma_lk=str(encounter["ma_lk"]),
        subtitle=_subtitle(encounter, facility, t),
        run=run_line(claim.run, lang) if claim.run else "",
        scored=scored,
        flagged=row is not None and row.flagged,
        note=_note(claim, t),
        gauges=_gauges(claim, t),
        alike=t("claim.alike", n=number(claim.alike, lang)) if claim.alike else "",
        alike_href=pattern_href(row.pattern) if row and row.pattern else "",
        facts=_facts(claim, facility, t),
        schemes=tuple(scheme_name(s, lang) for s in row.schemes) if row else (),
        reasons=tuple(_reason(item, claim.lines, t) for item in claim.evidence if item.get("kind") not in NO_SIGNS),
        standing=tuple(str(item[f"text_{lang}"]) for item in claim.evidence if item.get("kind") == STANDING),
        aside=tuple(_aside(item, t) for item in claim.evidence if item.get("kind") == NOT_EVALUABLE),
        contexts=_contexts(claim, t),
        tables=_tables(claim, t),
        labs=tuple(_lab(result) for result in claim.lab_results),
        labs_long=len(claim.lab_results) > LONG,
        history=_history(claim, t),
        history_note=t("history.elsewhere", n=claim.history_elsewhere) if claim.history_elsewhere else "",
        receipts=tuple(_receipt(v, t) for v in claim.versions),
        peers=_peers(claim.peers, t) if claim.peers else None,
    )


def line_name(line: ClaimLine) -> tuple[str, str]:
    """Name and code of a line, as the claim gives them."""
    f = line.fields
    if line.line_table == "drug_line":
        strength = f" {f['ham_luong']}" if f.get("ham_luong") else ""
        return f"{f.get('ten_thuoc') or f.get('ma_thuoc') or ABSENT}{strength}", str(f.get("ma_thuoc") or "")
    name = f.get("ten_dich_vu") or f.get("ten_vat_tu")
    code = f.get("ma_dich_vu") or f.get("ma_vat_tu") or ""
    return str(name or code or ABSENT), str(code)


def line_key(line_table: str, row_no: int) -> str:
    """How forms name a line."""
    return f"{line_table}:{row_no}"


def signal_text(signal: LineSignal, t: Words) -> str:
    """What a rule or detector measured on a line."""
    name = scheme_name(signal.scheme, t.lang) if signal.scheme else ""
    measured = _measured(signal.observed, signal.allowed, t)
    return " · ".join(part for part in (name, measured, signal.source) if part)


def _subtitle(encounter: Mapping[str, Any], facility: str | None, t: Words) -> str:
    care = care_type(encounter.get("ma_loai_kcb"), t.lang)
    parts = (facility or encounter["ma_cskcb"], care, _stay(encounter))
    return " · ".join(str(p) for p in parts if p)


def _stay(encounter: Mapping[str, Any]) -> str:
    return f"{moment(encounter.get('ngay_vao'))} – {moment(encounter.get('ngay_ra'))}"


def _note(claim: ClaimDetail, t: Words) -> str:
    if any(v.withdrawn and v.version == claim.encounter.get("version") for v in claim.versions):
        return t("claim.withdrawn")
    if claim.row is None:
        return t("claim.not_scored")
    if claim.row.status == "not_evaluable":
        return claim.reasons_vi if t.lang == "vi" else claim.reasons_en
    return ""


def _gauges(claim: ClaimDetail, t: Words) -> tuple[Gauge, ...]:
    row = claim.row
    if row is None:
        return ()
    lang = t.lang
    score = place(row.score, lang) if row.status == "scored" else ABSENT
    likelihood = likelihood_text(row.likelihood, lang)
    likely = (
        (Gauge(label=t("likelihood.label"), value=likelihood, title=t("likelihood.meaning")),) if likelihood else ()
    )
    return (
        Gauge(label=t("column.rank"), value=f"#{number(row.rank, lang)}"),
        Gauge(label=t("column.score"), value=score, title=t("claim.score_title")),
        Gauge(label=t("column.t_bhtt"), value=money(row.t_bhtt, lang)),
        Gauge(label=t("column.at_risk"), value=money(row.amount_at_risk, lang), strong=True),
        Gauge(
            label=t("column.recoverable"),
            value=money(row.expected_recoverable, lang),
            title=t("claim.recoverable_title"),
        ),
        *likely,
    )


def _facts(claim: ClaimDetail, facility: str | None, t: Words) -> tuple[Fact, ...]:
    e, lang = claim.encounter, t.lang
    province = str(e["ma_cskcb"])[:2]
    patient = str(e.get("patient_id") or "")
    main = str(e.get("ma_benh_chinh") or "")
    person = ", ".join(p for p in (sex(e.get("gioi_tinh"), lang), _age(e, t)) if p)
    days = e.get("so_ngay_dtri")
    facts = (
        Fact(
            label=t("fact.facility"),
            value=f"{e['ma_cskcb']} {facility or ''}".strip(),
            note=provinces().get(province, province),
        ),
        Fact(label=t("fact.department"), value=_departments(e.get("ma_khoa"), lang)),
        Fact(label=t("fact.doctor"), value=(claim.row.doctor if claim.row else None) or ABSENT),
        Fact(
            label=t("fact.stay"),
            value=_stay(e),
            note=t("fact.days", n=number(days, lang)) if days is not None else "",
        ),
        Fact(label=t("fact.diagnosis"), value=main or ABSENT, note=diagnosis_group(main, lang)),
        Fact(label=t("fact.other_diagnoses"), value=str(e.get("ma_benh_kt") or ABSENT)),
        Fact(
            label=t("fact.patient"),
            value=person or ABSENT,
            note=t("fact.pseudonym", id=patient[:10]) if patient else "",
        ),
        Fact(label=t("fact.reason_for_visit"), value=str(e.get("ly_do_vv") or ABSENT)),
    )
    sums = tuple(
        Fact(label=t(f"fact.{name}"), value=money(e.get(name), lang))
        for name in ("t_tongchi_bv", "t_tongchi_bh", "t_bhtt", "t_bncct", "t_bntt")
    )
    return tuple(fact for fact in facts + sums if fact.value != ABSENT)


def _departments(codes: object, lang: Lang) -> str:
    listed = [code.strip() for code in str(codes or "").split(";") if code.strip()]
    return (
        ", ".join(f"{code} {name}" if (name := department(code, lang)) != code else code for code in listed) or ABSENT
    )


def _age(encounter: Mapping[str, Any], t: Words) -> str:
    born, came = encounter.get("ngay_sinh"), encounter.get("ngay_vao")
    if not isinstance(born, date) or not isinstance(came, datetime):
        return ""
    years = came.year - born.year
    if encounter.get("birth_precision") != "year" and (came.month, came.day) < (born.month, born.day):
        years -= 1
    return t("fact.age", n=years) if years >= 1 else t("fact.infant")


def _reason(item: Mapping[str, Any], lines: Sequence[ClaimLine], t: Words) -> Reason:
    lang = t.lang
    scheme = item.get("scheme")
    amount = item.get("amount")
    peer_group = item.get("peer_group")
    known = {line_key(line.line_table, line.row_no): line for line in lines}
    listed = [line_key(table, row) for table, row in item.get("lines") or () if row is not None]
    return Reason(
        heading=scheme_name(str(scheme), lang) if scheme else t("reason.unusual"),
        text=str(item.get(f"text_{lang}") or ""),
        source=str(item.get("source") or ""),
        kind=t("reason.rule" if item.get("kind") == "rule" else "reason.detector"),
        amount=money(amount, lang) if amount else "",
        figures=_measured(item.get("observed"), item.get("expected"), t),
        peer=t("reason.peer", group=label(str(peer_group), lang)) if peer_group else "",
        normal_if=str(item.get(f"normal_if_{lang}") or ""),
        legal_basis=str(item.get("legal_basis") or ""),
        lines=tuple(
            LineLink(href=f"#{key.replace(':', '-')}", label=line_name(known[key])[0]) for key in listed if key in known
        ),
    )


def _aside(item: Mapping[str, Any], t: Words) -> str:
    """A detector, or the rules together, that could not judge the claim, and for want of what."""
    fields = [str(f).rpartition(".")[2].upper() for f in item.get("fields") or [item.get("field") or ""]]
    shown = ", ".join(dict.fromkeys(f for f in fields[:ASIDE_FIELDS] if f)) + (" …" if fields[ASIDE_FIELDS:] else "")
    if item.get("source") == "rules":
        return t("reason.rules_aside", n=item.get("count") or 0, fields=shown or "–")
    return t("reason.aside", source=str(item.get("source") or ""), fields=shown or "–")


def _measured(observed: float | None, usual: float | None, t: Words) -> str:
    if observed is None and usual is None:
        return ""
    if usual is None:
        return t("reason.observed", observed=_figure(observed, t.lang))
    return t("reason.figures", observed=_figure(observed, t.lang), usual=_figure(usual, t.lang))


def _figure(value: float | None, lang: Lang) -> str:
    if value is not None and abs(value) >= MONEY_FROM:
        return money(value, lang)
    return number(value, lang, places=2)


def _contexts(claim: ClaimDetail, t: Words) -> tuple[Context, ...]:
    def context(label: str, entity: EntityRow | None) -> tuple[Context, ...]:
        if entity is None:
            return ()
        lang = t.lang
        text = t(
            "context.text",
            rank=number(entity.rank, lang),
            claims=number(entity.claims, lang),
            at_risk=short_money(entity.amount_at_risk, lang),
        )
        shown = entity.entity_id[:10] if entity.level == "patient" else entity.entity_id
        href = "" if entity.level == "patient" else entity_href(entity.level, entity.entity_id)
        return (Context(label=t(label), entity=shown, href=href, text=text, flagged=entity.flagged),)

    return (
        *context("context.doctor", claim.doctor),
        *context("context.facility", claim.facility),
        *context("context.patient", claim.patient),
    )


def _tables(claim: ClaimDetail, t: Words) -> tuple[LineTable, ...]:
    named = lines_named(claim)
    return tuple(
        _table(t(f"lines.{kind}"), [line for line in claim.lines if line.line_table == kind], named, t)
        for kind in ("service_line", "drug_line")
        if any(line.line_table == kind for line in claim.lines)
    )


def lines_named(claim: ClaimDetail) -> dict[str, Mapping[str, Any]]:
    """Line key -> the strongest evidence that points at the line: a statistical sign has no signal on lines."""
    named: dict[str, Mapping[str, Any]] = {}
    for item in claim.evidence:
        for table, row in item.get("lines") or ():
            if row is not None:
                named.setdefault(line_key(table, row), item)
    return named


def _table(title: str, lines: Sequence[ClaimLine], named: Mapping[str, Mapping[str, Any]], t: Words) -> LineTable:
    paid = sum((line.fields.get("t_bhtt") or Decimal(0) for line in lines), Decimal(0))
    shown = tuple(_line(line, named.get(line_key(line.line_table, line.row_no)), t) for line in lines)
    return LineTable(
        title=title,
        lines=shown,
        marked=sum(1 for line in shown if line.marked),
        paid=money(paid, t.lang),
        at_risk=money(sum((line.amount_at_risk for line in lines), Decimal(0)), t.lang),
        long=len(shown) > LONG,
    )


def evidence_text(item: Mapping[str, Any], t: Words) -> str:
    """An item of evidence in the few words that fit beside a line."""
    scheme = item.get("scheme")
    heading = scheme_name(str(scheme), t.lang) if scheme else t("reason.unusual")
    return f"{heading} · {item.get('source') or ''}".removesuffix(" · ")


def _line(line: ClaimLine, named: Mapping[str, Any] | None, t: Words) -> Line:
    f, lang = line.fields, t.lang
    name, code = line_name(line)
    key = line_key(line.line_table, line.row_no)
    price = f.get("don_gia_bh", f.get("don_gia"))
    unit = f" {f['don_vi_tinh']}" if f.get("don_vi_tinh") else ""
    return Line(
        key=key,
        anchor=key.replace(":", "-"),
        row_no=str(line.row_no),
        name=name,
        code=code,
        group=cost_group(f.get("ma_nhom"), lang),
        time=moment(f.get("ngay_yl")),
        doctor=str(f.get("doctor") or ABSENT),
        quantity=f"{number(f.get('so_luong'), lang, places=3)}{unit}",
        price=money(price, lang),
        paid=money(f.get("t_bhtt"), lang),
        at_risk=money(line.amount_at_risk, lang) if line.amount_at_risk else "",
        marked=bool(line.signals) or named is not None,
        signs=tuple(signal_text(s, t) for s in line.signals) or ((evidence_text(named, t),) if named else ()),
    )


def _lab(result: Mapping[str, Any]) -> Lab:
    said = (str(part) for part in (result.get("mo_ta"), result.get("ket_luan")) if part)
    return Lab(
        name=str(result.get("ten_chi_so") or result.get("ma_chi_so") or result.get("ma_dich_vu") or ABSENT),
        value=str(result.get("gia_tri") or ABSENT),
        unit=str(result.get("don_vi_do") or ""),
        conclusion=" · ".join(said),
        time=moment(result.get("ngay_kq")),
    )


def _history(claim: ClaimDetail, t: Words) -> tuple[Visit, ...]:
    if not claim.history:
        return ()
    e, row = claim.encounter, claim.row
    this = Visit(
        href="",
        label=t("history.this"),
        dates=f"{day(e.get('ngay_vao'))} – {day(e.get('ngay_ra'))}",
        care=care_type(e.get("ma_loai_kcb"), t.lang),
        diagnosis=str(e.get("ma_benh_chinh") or ABSENT),
        paid=money(e.get("t_bhtt"), t.lang),
        score=place(row.score, t.lang) if row else ABSENT,
        flagged=row is not None and row.flagged,
        current=True,
    )
    ordered = [(h.ngay_vao or datetime.min, _visit(h, t)) for h in claim.history]  # noqa: DTZ901 - wall-clock, as stored
    ordered.append((e.get("ngay_vao") or datetime.min, this))  # noqa: DTZ901
    return tuple(visit for _, visit in sorted(ordered, key=lambda pair: pair[0], reverse=True))


def _visit(h: HistoryRow, t: Words) -> Visit:
    facility, _, ma_lk = h.claim_id.partition(":")
    return Visit(
        href=claim_href(facility, ma_lk),
        label=h.claim_id,
        dates=f"{day(h.ngay_vao)} – {day(h.ngay_ra)}",
        care=care_type(h.ma_loai_kcb, t.lang),
        diagnosis=h.ma_benh_chinh or ABSENT,
        paid=money(h.t_bhtt, t.lang),
        score=place(h.score, t.lang),
        flagged=h.flagged,
        current=False,
    )


def _receipt(v: Version, t: Words) -> Receipt:
    state = "version.withdrawn" if v.withdrawn else "version.current" if v.current else "version.replaced"
    return Receipt(
        number=number(v.version, t.lang),
        state=t(state),
        left=moment(v.ngay_ra),
        paid=money(v.t_bhtt, t.lang),
        load=v.load_id or ABSENT,
    )


def _peers(peers: Peers, t: Words) -> PeersView:
    lang = t.lang
    group = t(
        "peers.group" if peers.facility_rank is None else "peers.group_rank",
        care=care_type(peers.ma_loai_kcb, lang),
        icd=peers.icd3,
        rank=peers.facility_rank,
    )
    return PeersView(
        sentence=t(
            "peers.sentence",
            n=number(peers.count, lang),
            group=group,
            share=percent(peers.share_below, lang, places=0),
            median=money(peers.quantiles["p50"], lang),
            own=money(peers.own, lang),
        ),
        spec=json.dumps(_spec(peers, t), ensure_ascii=False),
        facts=tuple(
            Fact(label=t(f"peers.{name}"), value=money(peers.quantiles[name], lang))
            for name in ("p25", "p50", "p75", "p95")
        ),
        bars=tuple(
            Bar(
                span=f"{money(b.low, lang)} – {money(b.high, lang)}",
                count=number(b.count, lang),
                own=b.low <= peers.own <= b.high,
            )
            for b in peers.bins
            if b.count
        ),
    )


def _spec(peers: Peers, t: Words) -> dict[str, Any]:
    """A histogram on a log scale with this claim's place marked: Vega-Lite 6."""
    own = {"x": peers.own, "label": t("peers.this_claim", own=short_money(peers.own, t.lang))}
    median = {"x": peers.quantiles["p50"], "label": t("peers.median_mark")}
    scale = {"type": "log", "nice": False}
    x_axis = {"labelExpr": _AXIS_LABEL[t.lang], "grid": False, "tickCount": 6, "labelOverlap": True}
    middle = peers.quantiles["p50"]
    far = (peers.bins[len(peers.bins) // 8].low, peers.bins[-max(1, len(peers.bins) // 4)].low)
    above = (peers.own >= middle and peers.own < far[1]) or peers.own < far[0]  # a label must not leave the picture
    marks = [
        _rule_layer(median, "#64748b", [4, 3], align="right" if peers.own >= middle else "left", line=0),
        _rule_layer(own, "#b45309", [1, 0], align="left" if above else "right", line=1),
    ]
    return {
        "width": "container",
        "height": 170,
        "autosize": {"type": "fit", "contains": "padding"},
        "background": None,
        "config": {
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "axis": {
                "labelColor": "#475569",
                "titleColor": "#475569",
                "titleFontWeight": 500,
                "domainColor": "#cbd5e1",
            },
        },
        "layer": [
            {
                "data": {"values": [{"low": b.low, "high": b.high, "count": b.count} for b in peers.bins]},
                "mark": {"type": "bar", "color": "#9db7d5", "binSpacing": 1},
                "encoding": {
                    "x": {
                        "field": "low",
                        "type": "quantitative",
                        "scale": scale,
                        "axis": x_axis,
                        "title": t("peers.x"),
                    },
                    "x2": {"field": "high"},
                    "y2": {"datum": 0},
                    "y": {
                        "field": "count",
                        "type": "quantitative",
                        "title": t("peers.y"),
                        "axis": {"tickCount": 4, "gridColor": "#eef2f6", "domain": False, "ticks": False},
                    },
                },
            },
            *marks,
        ],
    }


def _rule_layer(point: Mapping[str, Any], colour: str, dash: Sequence[int], *, align: str, line: int) -> dict[str, Any]:
    """A vertical line with its label at the top of the picture."""
    x = {"field": "x", "type": "quantitative"}
    return {
        "data": {"values": [dict(point)]},
        "layer": [
            {"mark": {"type": "rule", "color": colour, "strokeWidth": 1.5, "strokeDash": dash}, "encoding": {"x": x}},
            {
                "mark": {
                    "type": "text",
                    "color": colour,
                    "align": align,
                    "baseline": "top",
                    "dx": -5 if align == "right" else 5,
                    "fontWeight": 600,
                    "fontSize": 11,
                },
                "encoding": {"x": x, "y": {"value": 14 * line}, "text": {"field": "label"}},
            },
        ],
    }


_AXIS_LABEL: Mapping[Lang, str] = {
    "vi": (
        "datum.value >= 1e9 ? format(datum.value / 1e9, '~r') + ' tỷ' : "
        "datum.value >= 1e6 ? format(datum.value / 1e6, '~r') + ' tr' : format(datum.value / 1e3, '~r') + ' ng'"
    ),
    "en": (
        "datum.value >= 1e9 ? format(datum.value / 1e9, '~r') + ' bn' : "
        "datum.value >= 1e6 ? format(datum.value / 1e6, '~r') + ' m' : format(datum.value / 1e3, '~r') + ' k'"
    ),
}
