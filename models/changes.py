"""What changed over time of the doctors and facilities of a run: growth in parts, and levels that rose.

Months are those of discharge that are whole in the ranking. Growth compares the last months with the same ones a year
before where the ranking reaches so far, else with the ones just before. Levels are what claims cost beside what they
should have cost and, of a facility, the share of its claims that carry an item; both beside their peers' of the same
months. Known shocks come from three places: price lists take their part out of what was paid, the calendar of the
catalogues says what bound one province, and what bound everyone is in what peers did.

All of it looks at the whole ranking, so an answer changes with the company an entity is in: it is told beside the
score and weighs nothing in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from data.schema import reference
from detectors.entity.change import MIN_CLAIMS, growth
from detectors.entity.shift import SERIES, shifts
from detectors.explain import Lang, dong, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data.lake import Reader
    from detectors.entity.observed_expected import ObservedExpected

LEVELS = ("doctor", "facility")
PERIODS: tuple[tuple[int, int], ...] = ((6, 12), (6, 6), (3, 3))
"""Months of a period and how many earlier the one before begins: the first that the ranking reaches back to."""

MOST_MONTHS = 24
LEAST_MONTHS = 4  # two levels of two months each
LEAST_CLAIMS = 100.0  # of a doctor or facility in all months: fewer have no level of cost
LEAST_HITS = 30  # claims with an item
LEAST_USERS = 5  # other facilities that use the item
LEAST_RISE: Mapping[str, float] = {"cost_level": 1.2, "item_level": 1.5}  # times the rise of peers
LEAST_OWN = 1.1  # times its own level: who stays where he is while peers fall did not rise
UNKNOWN = 1.0  # variance where nothing was learned of how costs scatter: then nothing is beyond chance
MOST_TOLD = 5  # items of one facility, the surest first
STEADY = 30.0  # claims of others at which their movement in a month counts for half

_TEXTS = {"text_vi": pl.String(), "text_en": pl.String()}
_LANGS: tuple[Lang, Lang] = ("vi", "en")
_PARTS = ("volume", "mix", "coding", "price", "residual")
GROWTH: Mapping[str, pl.DataType] = {
    "before_since": pl.String(), "before_until": pl.String(), "since": pl.String(), "until": pl.String(),
    "claims_before": pl.Float64(), "claims": pl.Float64(), "paid_before": pl.Float64(), "paid": pl.Float64(),
    "growth": pl.Float64(), **dict.fromkeys(_PARTS, pl.Float64()), "residual_rate": pl.Float64(),
    "degree": pl.String(), "shocks_vi": pl.List(pl.String()), "shocks_en": pl.List(pl.String()), **_TEXTS,
}  # fmt: skip
"""Growth of what an entity is paid (VND), months as yyyy-mm; the parts add up to `growth`."""

CHANGE: Mapping[str, pl.DataType] = {
    "measure": pl.String(), "item": pl.String(), "name": pl.String(), "since": pl.String(), "before": pl.Float64(),
    "after": pl.Float64(), "rise": pl.Float64(), "peers_rise": pl.Float64(), "tail": pl.Float64(), **_TEXTS,
}  # fmt: skip
"""A level that rose: times the expected cost, or claims in a hundred that carry the item, before and after."""

MONTH: Mapping[str, pl.DataType] = {
    "month": pl.String(), "claims": pl.Float64(), "level": pl.Float64(), "peers": pl.Float64(),
}  # fmt: skip
"""What claims cost over what they should have cost, of the entity and of all others."""

TOLD: Mapping[str, pl.DataType] = {
    "entity_id": pl.String(),
    "growth": pl.Struct(dict(GROWTH)),
    "changes": pl.List(pl.Struct(dict(CHANGE))),
    "months": pl.List(pl.Struct(dict(MONTH))),
}


@dataclass(frozen=True, slots=True)
class Span:
    """Whole months of a ranking, oldest first, by their first days."""

    months: tuple[date, ...]

    @property
    def until(self) -> date:
        """The day after the last."""
        return _following(self.months[-1])

    def periods(self) -> tuple[range, range] | None:
        """Places of the months before and of the last ones; None for a ranking too short to compare."""
        count = len(self.months)
        for length, back in PERIODS:
            if count >= length + back:
                return range(count - length - back, count - back), range(count - length, count)
        return None


def keep_months(reader: Reader) -> Span | None:
    """`_timed`: the claims of `_ranking` in whole months, with what patients, prices and peers make of them.

    None where there are too few months to compare.
    """
    counted = reader.pl(
        "select cast(date_trunc('month', day) as date) as month, count(*) as claims from _ranking where day is not null"
        " and expected_paid is not null and t_bhtt is not null group by all order by all"
    )
    months: list[date] = []
    enough = 0.5 * float(cast("float", counted["claims"].median() or 0.0))  # months that began or ended outside
    for month in counted.filter(pl.col("claims") >= enough)["month"].reverse():
        if (months and _following(month) != months[0]) or len(months) == MOST_MONTHS:
            break
        months.insert(0, month)
    if len(months) < LEAST_MONTHS:
        return None
    span = Span(tuple(months))
    reader.keep("_span", pl.DataFrame({"month": months, "place": range(len(months))}))
    reader.keep("_list", reader.pl(_LISTS))
    reader.keep("_dearer", reader.pl(_DEARER, {"first": months[0]}))
    reader.keep("_timed", reader.pl(_TIMED))
    return span


def told(reader: Reader, level: str, span: Span, costs: ObservedExpected) -> pl.DataFrame:
    """Rows of `TOLD` of the entities of `_claim` of which anything is to be told, by id."""
    summed = reader.pl(_SUMS)
    bound = _bound(reader, level, span)
    cost = _cost_series(summed, costs, bound)
    changes = _changes(summed, shifts(cost, least=LEAST_RISE["cost_level"]), span)
    if level == "facility":
        changes = pl.concat([changes, _item_changes(reader, span, bound)])
    frames = [_growth(summed, span, bound, costs), _gathered(changes), _levels(summed, span)]
    rows = pl.DataFrame(schema={"entity_id": pl.String})
    for frame in frames:
        rows = rows.join(frame, on="entity_id", how="full", coalesce=True)
    return rows.select(pl.col(name).cast(dtype) for name, dtype in TOLD.items()).sort("entity_id")


# what was paid, month by month

_LISTS = """
    with here as (select distinct ma_cskcb from _ranking),
    ranked as (select ma_cskcb, arg_max(rank, valid_from) as rank from catalogue_facilities group by all),
    applies as (
        select h.ma_cskcb, s.ma_dich_vu, s.valid_from, s.price, s.load_seq, 0 as scope
        from here h join catalogue_services s using (ma_cskcb)
        union all select r.ma_cskcb, s.ma_dich_vu, s.valid_from, s.price, s.load_seq, 1
        from here join ranked r using (ma_cskcb) join catalogue_services s using (rank) where s.ma_cskcb is null
        union all select h.ma_cskcb, s.ma_dich_vu, s.valid_from, s.price, s.load_seq, 2
        from here h, catalogue_services s where s.ma_cskcb is null and s.rank is null
    ),
    narrowest as (
        select * from applies where price > 0
        qualify scope = min(scope) over (partition by ma_cskcb, ma_dich_vu)
        and row_number() over (partition by ma_cskcb, ma_dich_vu, valid_from order by scope, load_seq desc, price) = 1
    )
    select ma_cskcb, ma_dich_vu, valid_from, price from narrowest
    qualify count(distinct price) over (partition by ma_cskcb, ma_dich_vu) > 1
"""
"""Approved prices that changed, of each facility: its own list's, else its rank's, else everyone's."""

_DEARER = """
    with line as (
        select l.version, l.ma_cskcb, l.ma_dich_vu, cast(l.t_bhtt as double) as paid,
               cast(coalesce(l.ngay_th_yl, l.ngay_yl, r.day) as date) as day
        from service_line_history l join _ranking r using (version) where l.t_bhtt > 0
    ),
    first as (
        select ma_cskcb, ma_dich_vu,
               coalesce(arg_max(price, valid_from) filter (valid_from <= $first), arg_min(price, valid_from)) as price
        from _list group by all
    )
    select version, round(fsum(paid * (1 - first.price / now.price)), 4) as dearer
    from line asof join _list now on line.ma_cskcb = now.ma_cskcb and line.ma_dich_vu = now.ma_dich_vu
         and line.day >= now.valid_from
    join first on first.ma_cskcb = line.ma_cskcb and first.ma_dich_vu = line.ma_dich_vu
    where now.price <> first.price group by all
"""
"""VND of each claim that its lines would not have cost at the prices of the first day."""

_TIMED = """
    with claim as (
        select r.version, s.place, r.ma_cskcb, r.province, r.t_bhtt as paid, r.expected_paid as expected,
               greatest(r.t_bhtt - coalesce(d.dearer, 0), 0) as at_list,
               r.care || ':' || coalesce(substr(e.ma_benh_chinh, 1, 1), '') as cell,
               coalesce(cast(floor(date_diff('year', e.ngay_sinh, e.ngay_vao) / 20) as int), -1) as age
        from _ranking r join _span s on s.month = date_trunc('month', r.day)
        left join encounter_history e using (version) left join _dearer d using (version)
        where r.expected_paid is not null and r.t_bhtt is not null
    ),
    usual as (select cell, age, round(favg(expected), 6) as of_patients from claim group by all)
    select claim.*, of_patients from claim join usual using (cell, age)
"""

_SUMS = """
    select entity_id, place, any_value(province order by province) as province, round(fsum(part), 9) as claims,
           round(fsum(paid * part), 4) as paid, round(fsum(at_list * part), 4) as at_list,
           round(fsum(expected * part), 4) as expected, round(fsum(of_patients * part), 4) as of_patients
    from _claim join _timed using (version) group by all order by entity_id, place
"""
"""Rounded well below the cents of money: sums differ in their last bits by the order of rows, and means of whole cents
lie on halves of them."""


def _bound(reader: Reader, level: str, span: Span) -> pl.DataFrame:
    """Known shocks of one province within the span that are not everyone's: entity_id, kind, day, place.

    A price decision that the facility's list holds is none: the list says its size.
    """
    facility = "entity_id" if level == "facility" else "split_part(entity_id, ':', 1)"
    found = reader.pl(
        f"""
        with known as (
            select distinct date as day, kind, province from catalogue_calendar
            where province is not null and kind <> 'holiday' and date > $first and date < $until
        ), entity as (
            select entity_id, any_value(province order by province) as province from _claim join _timed using (version)
            group by all
        )
        select entity_id, kind, day from entity join known using (province)
        where kind <> 'price_change' or {facility} not in (select ma_cskcb from _list)
        order by all
        """,
        {"first": span.months[0], "until": span.until},
    )
    place = pl.lit(0)
    for month in span.months[1:]:
        place = place + (pl.col("day") >= month).cast(pl.Int64)
    return found.with_columns(place=place)


# growth


def _growth(summed: pl.DataFrame, span: Span, bound: pl.DataFrame, costs: ObservedExpected) -> pl.DataFrame:
    periods = span.periods()
    if periods is None:
        return pl.DataFrame(schema={name: TOLD[name] for name in ("entity_id", "growth")})
    before, after = periods
    moved = bound.filter(pl.col("kind") != "epidemic", pl.col("place").is_between(before[0], after[-1]))
    ties = moved.group_by("entity_id").agg(bound=pl.col("day").cast(pl.String).unique().sort().str.join(" "))
    noise = costs.scatter / costs.usual**2 / pl.col("expected") if costs.scatter > 0 else pl.lit(UNKNOWN)
    sums = [
        summed.filter(pl.col("place").is_in(list(places)))
        .group_by("entity_id")
        .agg(pl.col("claims", "paid", "of_patients", "expected", "at_list").sort().sum())
        .join(ties, on="entity_id", how="left")
        .with_columns(pl.col("bound").fill_null(""), noise=noise)
        for places in periods
    ]
    rows = growth(*sums)
    for period, suffix in zip(sums, ("_before", ""), strict=True):
        rows = rows.join(
            period.filter(pl.col("claims") >= MIN_CLAIMS).select(
                "entity_id", **{f"{name}{suffix}": name for name in ("claims", "paid")}
            ),
            on="entity_id",
        )
    shocks = _everyones(span.months[before[0]], span.until)
    months = {
        "before_since": span.months[before[0]], "before_until": span.months[before[-1]],
        "since": span.months[after[0]], "until": span.months[after[-1]],
    }  # fmt: skip
    rows = rows.with_columns(
        pl.col("claims", "claims_before").round(1),
        pl.col("paid", "paid_before").round(2),
        *(pl.lit(_month(day)).alias(name) for name, day in months.items()),
        *(pl.lit(shocks[lang], dtype=pl.List(pl.String)).alias(f"shocks_{lang}") for lang in ("vi", "en")),
    )
    texts = [_growth_text(row, months) for row in rows.iter_rows(named=True)]
    rows = rows.with_columns(pl.DataFrame(texts, schema=_TEXTS, orient="row").get_columns())
    struct = pl.struct(pl.col(name).cast(dtype) for name, dtype in GROWTH.items())
    return rows.select("entity_id", growth=struct)


_DEGREES = {
    "low": ("mức 1: cần chú ý", "degree 1: take note"),
    "high": ("mức 2: cao", "degree 2: high"),
    "very_high": ("mức 3: rất cao", "degree 3: very high"),
}


def _growth_text(row: Mapping[str, Any], months: Mapping[str, date]) -> tuple[str, str]:
    degree = _DEGREES.get(row["degree"] or "")
    mean = row["paid"] / row["claims"] / (row["paid_before"] / row["claims_before"]) - 1.0
    period = {name: f"{day:%m/%Y}" for name, day in months.items()}
    now, then = (f"{period[f'{a}since']}–{period[f'{a}until']}" for a in ("", "before_"))
    vi, en = ((_signed(100.0 * mean, lang), _signed(100.0 * row["residual_rate"], lang)) for lang in _LANGS)
    texts = (
        (
            f"chi phí bình quân một hồ sơ {now} so với {then}: {vi[0]}%; "
            f"ngoài giá, cơ cấu người bệnh và mã hóa, hồ sơ tương tự: {vi[1]}% ({dong(row['residual'], 'vi')})"
        ),
        (
            f"average cost of a claim in {now} against {then}: {en[0]}%; "
            f"beyond prices, patients and coding a like claim: {en[1]}% ({dong(row['residual'], 'en')})"
        ),
    )
    vi_text, en_text = (text + (f", {degree[place]}" if degree else "") for place, text in enumerate(texts))
    return vi_text, en_text


def _everyones(since: date, until: date) -> dict[str, list[str]]:
    """Known shocks of the whole country, as they are called: what is in the common movement."""
    named = [(date.fromisoformat(row["date"]), row["note_vi"], row["note_en"]) for row in reference("known_shocks")]
    for row in reference("base_salary"):
        vi, en = (dong(float(row["luong_co_so_vnd"]), lang) for lang in _LANGS)
        named.append((date.fromisoformat(row["valid_from"]), f"Lương cơ sở {vi}", f"Base salary {en}"))
    within = sorted(shock for shock in named if since < shock[0] < until)
    return {lang: [f"{shock[0]:%d/%m/%Y}: {shock[n]}" for shock in within] for n, lang in enumerate(_LANGS, 1)}


# levels


def _cost_series(summed: pl.DataFrame, costs: ObservedExpected, bound: pl.DataFrame) -> pl.DataFrame:
    """Rows of `SERIES` of what claims cost; money in units of its scatter, which makes it as wide as counts are."""
    if costs.scatter <= 0:
        return pl.DataFrame(schema=dict.fromkeys(SERIES, pl.Float64) | {"series": pl.String, "place": pl.Int64})
    unit = costs.scatter / costs.usual
    rows = _large(_beside_others(summed)).select(
        "place",
        series="entity_id",
        seen=pl.col("at_list") / unit,
        usual=pl.col("expected") * pl.col("peers") / unit,
        others=pl.col("others") / unit,
    )
    return _cut(rows, bound.select("entity_id", "place"), "series").select(SERIES)


def _beside_others(summed: pl.DataFrame) -> pl.DataFrame:
    """`summed` with what all others' claims cost over their expectation that month (`peers`), and how much it was."""
    whole = summed.group_by("place").agg(
        all_paid=pl.col("at_list").sort().sum(), all_expected=pl.col("expected").sort().sum()
    )
    rows = summed.join(whole, on="place").sort("entity_id", "place")
    others = pl.col("all_expected") - pl.col("expected")
    return rows.with_columns(
        peers=pl.when(others > 0).then((pl.col("all_paid") - pl.col("at_list")) / others).otherwise(1.0).clip(0.01),
        others=others.clip(0.0),
    )


def _large(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of those with claims enough."""
    return rows.filter(pl.col("claims").sort().sum().over("entity_id") >= LEAST_CLAIMS)


def _cut(rows: pl.DataFrame, shocks: pl.DataFrame, key: str) -> pl.DataFrame:
    """`rows` with the number of shocks that bind each series up to each month."""
    before = rows.select(key, "place").join(
        shocks.rename({"entity_id": key, "place": "shock"}).unique(), on=key, how="inner"
    )
    counted = before.filter(pl.col("shock") <= pl.col("place")).group_by(key, "place").agg(cut=pl.len())
    return rows.join(counted, on=[key, "place"], how="left").with_columns(pl.col("cut").fill_null(0).cast(pl.Int64))


def _changes(summed: pl.DataFrame, found: pl.DataFrame, span: Span) -> pl.DataFrame:
    """Rows of `CHANGE` with entity_id, of costs that rose."""
    if not found.height:
        return pl.DataFrame(schema={"entity_id": pl.String()} | dict(CHANGE))
    sides = (
        _beside_others(summed)
        .join(found.select(entity_id="series", first="place"), on="entity_id")
        .group_by("entity_id", after=pl.col("place") >= pl.col("first"))
        .agg(
            own=pl.col("at_list").sort().sum() / pl.col("expected").sort().sum(),
            peers=(pl.col("expected") * pl.col("peers")).sort().sum() / pl.col("expected").sort().sum(),
        )
    )
    before, after = (sides.filter(pl.col("after") == late).drop("after") for late in (False, True))
    rows = found.join(before, left_on="series", right_on="entity_id").join(
        after, left_on="series", right_on="entity_id", suffix="_after"
    )
    return _change_rows(
        rows.select(
            "place",
            "tail",
            entity_id="series",
            before="own",
            after="own_after",
            peers_rise=pl.col("peers_after") / pl.col("peers"),
            measure=pl.lit("cost_level"),
            item=pl.lit(None, dtype=pl.String),
            name=pl.lit(None, dtype=pl.String),
        ),
        span,
    )


ITEMS = f"""
    with used as (
        select distinct version, 'drug:' || ma_thuoc as item from drug_line_history where ma_thuoc is not null
        union all select distinct version, 'service:' || ma_dich_vu from service_line_history
        where ma_dich_vu is not null and ma_vat_tu is null
    ),
    hit as (select item, ma_cskcb, cell, place, count(*) as k from used join _timed using (version) group by all),
    own as (
        select item, ma_cskcb from hit group by all having sum(k) >= {LEAST_HITS}
    ),
    users as (select item from hit group by all having count(distinct ma_cskcb) > {LEAST_USERS}),
    of_item as (select item, cell, sum(k) as k from hit group by all),
    mine as (select item, ma_cskcb, cell, sum(k) as k from hit group by all),
    cells as (select ma_cskcb, cell, place, count(*) as n from _timed group by all),
    of_cell as (select cell, place, sum(n) as n from cells group by all),
    whole as (select cell, sum(n) as n from of_cell group by all),
    n_mine as (select ma_cskcb, cell, sum(n) as n from cells group by all),
    rate as (
        select own.item, own.ma_cskcb, i.cell,
               (i.k - coalesce(m.k, 0)) / nullif(cast(w.n - coalesce(c.n, 0) as double), 0) as rate
        from own join users using (item) join of_item i using (item) join whole w using (cell)
        left join mine m on m.item = own.item and m.ma_cskcb = own.ma_cskcb and m.cell = i.cell
        left join n_mine c on c.ma_cskcb = own.ma_cskcb and c.cell = i.cell
    ),
    expected as (
        select item, ma_cskcb, place, round(fsum(rate * n), 9) as usual, sum(n) as n
        from rate join cells using (ma_cskcb, cell) where rate is not null group by all
    ),
    elsewhere as (
        select r.item, r.ma_cskcb, a.place, round(fsum(r.rate * (a.n - coalesce(c.n, 0))), 9) as usual
        from rate r join of_cell a using (cell)
        left join cells c on c.ma_cskcb = r.ma_cskcb and c.cell = a.cell and c.place = a.place
        where rate is not null group by all
    ),
    seen as (select item, ma_cskcb, place, sum(k) as k from hit group by all),
    of_month as (select item, place, sum(k) as k from hit group by all),
    claims as (select ma_cskcb, place, sum(n) as claims from cells group by all)
    select item, ma_cskcb as entity_id, place, cast(coalesce(s.k, 0) as double) as seen,
           cast(n.claims as double) as claims,
           e.usual * (coalesce(all_k.k, 0) - coalesce(s.k, 0) + {STEADY}) / (o.usual + {STEADY}) as usual,
           cast(coalesce(all_k.k, 0) - coalesce(s.k, 0) as double) as others
    from expected e join claims n using (ma_cskcb, place) left join elsewhere o using (item, ma_cskcb, place)
    left join seen s using (item, ma_cskcb, place) left join of_month all_k using (item, place)
    order by all
"""
"""Of each facility and item with claims enough, month by month: how many claims carry it, and how many would if the
other facilities' like claims (care type, first letter of the diagnosis) of that month were its own."""


def _item_changes(reader: Reader, span: Span, bound: pl.DataFrame) -> pl.DataFrame:
    """Rows of `CHANGE` with entity_id, of items that rose; prices move no count, so price decisions cut nothing."""
    series = pl.format("{} {}", "entity_id", "item")
    rows = reader.pl(ITEMS).with_columns(pl.col("usual").fill_null(0.0), series=series)
    shocks = bound.filter(pl.col("kind") != "price_change").select("entity_id", "place")
    counted = _cut(rows, shocks, "entity_id")
    found = shifts(counted.select(SERIES), least=LEAST_RISE["item_level"])
    if not found.height:
        return pl.DataFrame(schema={"entity_id": pl.String()} | dict(CHANGE))
    sides = (
        counted.join(found.select("series", first="place"), on="series")
        .group_by("series", "entity_id", "item", after=pl.col("place") >= pl.col("first"))
        .agg(
            own=100.0 * pl.col("seen").sum() / pl.col("claims").sum(),
            peers=pl.col("usual").sort().sum() / pl.col("claims").sum(),
        )
    )
    before, after = (sides.filter(pl.col("after") == late).drop("after") for late in (False, True))
    both = found.join(before, on="series").join(after.select("series", "own", "peers"), on="series", suffix="_after")
    reader.keep("_told", both.select("item").unique().sort("item"))
    names = reader.pl(_NAMES)
    return _change_rows(
        both.join(names, on="item", how="left").select(
            "place",
            "tail",
            "entity_id",
            "item",
            "name",
            before="own",
            after="own_after",
            peers_rise=pl.col("peers_after") / pl.col("peers"),
            measure=pl.lit("item_level"),
        ),
        span,
    )


_NAMES = """
    select item, max(name) as name from (
        select 'drug:' || ma_thuoc as item, ten_thuoc as name from drug_line_history
        where version in (select version from _timed)
        union all select 'service:' || ma_dich_vu, ten_dich_vu from service_line_history
        where version in (select version from _timed)
    ) where item in (select item from _told) group by all
"""


def _change_rows(rows: pl.DataFrame, span: Span) -> pl.DataFrame:
    """`rows` with the month, the rise and the sentences, as `CHANGE`."""
    rows = rows.with_columns(
        pl.col("before", "after", "peers_rise").round(4),
        rise=(pl.col("after") / pl.col("before")).round(4),
        since=pl.col("place").replace_strict(
            list(range(len(span.months))), [_month(m) for m in span.months], return_dtype=pl.String
        ),
    )
    rows = rows.filter(pl.col("rise") >= LEAST_OWN).sort("entity_id", "tail", "measure", "item", nulls_last=True)
    texts = [_change_text(row) for row in rows.iter_rows(named=True)]
    rows = rows.with_columns(pl.DataFrame(texts, schema=_TEXTS, orient="row").get_columns())
    return rows.select("entity_id", *(pl.col(name).cast(dtype) for name, dtype in CHANGE.items()))


def _change_text(row: Mapping[str, Any]) -> tuple[str, str]:
    kind, _, code = (row["item"] or "").partition(":")
    name, (year, month) = row["name"] or code, row["since"].split("-")
    figures = ("rise", "peers_rise", "before", "after")
    (rise_vi, peers_vi, before_vi, after_vi), (rise_en, peers_en, before_en, after_en) = (
        [number(row[figure], lang) for figure in figures] for lang in _LANGS
    )
    if kind:
        called = "thuốc" if kind == "drug" else "dịch vụ"
        vi = f"{called} “{name}” có ở {after_vi} trên 100 hồ sơ (trước đó {before_vi})"
        en = f"the {kind} “{name}” is on {after_en} of 100 claims (before {before_en})"
    else:
        vi = f"chi phí bằng {after_vi} lần mức kỳ vọng (trước đó {before_vi})"
        en = f"costs are {after_en} times the expected (before {before_en})"
    return (
        f"từ tháng {int(month)}/{year}, {vi}: gấp {rise_vi} lần trước đó, trong khi nơi khác gấp {peers_vi} lần",
        f"from {month}/{year} {en}: {rise_en} times as before, while elsewhere {peers_en} times",
    )


def _levels(summed: pl.DataFrame, span: Span) -> pl.DataFrame:
    """The months of each entity, for the picture."""
    months = pl.DataFrame({"month": [_month(m) for m in span.months], "place": range(len(span.months))})
    rows = _large(_beside_others(summed)).join(months, on="place").sort("entity_id", "place")
    return rows.group_by("entity_id", maintain_order=True).agg(
        months=pl.struct(
            "month",
            pl.col("claims").round(1),
            level=pl.when(pl.col("expected") > 0).then((pl.col("at_list") / pl.col("expected")).round(4)),
            peers=pl.col("peers").round(4),
        )
    )


def _gathered(changes: pl.DataFrame) -> pl.DataFrame:
    cells = pl.struct(*CHANGE)
    return changes.group_by("entity_id", maintain_order=True).agg(changes=cells.head(MOST_TOLD))


def _following(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _month(day: date) -> str:
    return f"{day:%Y-%m}"


def _signed(value: float, lang: Lang) -> str:
    return ("+" if value >= 0 else "−") + number(round(abs(value), 1), lang)
