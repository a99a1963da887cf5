"""The pairs that are counted on claims: which cases, which partner, in which stratum.

A doctor and a drug, a facility and a tender, a facility and another where its patients are just before or after. Each
query reads `_ranking` and gives the cases (entity_id, stratum, cases) and where they go (entity_id, partner, item,
stratum, seen, paid, name).

A tender is its decision, as TT_THAU begins: no catalogue names who won it. What is expected of it is how often others
give the same drugs and supplies for the same diagnoses, whoever they bought them from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from detectors.explain import dong, number

if TYPE_CHECKING:
    from data.lake import Reader
    from detectors.entity.pairs import PairReference
    from detectors.explain import Lang


TOLD = 0.5  # strength from which a pair is told that weighs nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """One kind of pairs and its worth."""

    name: str
    rule: str  # row of the official list it is built from
    scheme: str
    levels: tuple[str, ...]
    weight: float  # log-odds of the strangest pair; nought: told, not weighed
    least: float = 5.0  # cases that go to the partner: fewer are no habit
    novel: bool = False  # whether a partner nobody had in training can be strange; a drug may simply be new
    text_vi: str  # takes the partner, the part in per cent, the usual part, the compared, VND above the usual
    text_en: str


PAIRINGS: tuple[Pairing, ...] = (
    Pairing(
        name="drug_lift",
        rule="DRG-37",
        scheme="DRUG_KICKBACK",
        levels=("doctor",),
        weight=1.0,
        text_vi="kê “{}” trong {}% đơn, người khác với cùng bệnh là {}% (so với {} người), {} vượt mức thường",
        text_en="gives “{}” on {}% of prescriptions, others for the same diagnoses on {}% (of {} compared), "
        "{} above usual",
    ),
    Pairing(
        name="tender_share",
        rule="SUP-12",
        scheme="SUPPLIER_CONCENTRATION",
        levels=("facility",),
        weight=0.0,
        text_vi="thuốc, vật tư theo quyết định trúng thầu {} là {}% số dòng, nơi khác với cùng bệnh dùng các thứ ấy "
        "{}% (so với {}), {} vượt mức thường",
        text_en="what was bought under tender {} is {}% of lines, the same goods elsewhere for the same diagnoses {}% "
        "(of {} compared), {} above usual",
    ),
    Pairing(
        name="shared_visits",
        rule="TRN-05",
        scheme="SELF_REFERRAL_TEST",
        levels=("facility",),
        weight=0.0,
        least=3.0,
        novel=True,
        text_vi="{1}% lượt khám có người bệnh cũng khám ở cơ sở {0} trong 3 ngày với cùng bệnh, nơi khác là {2}% "
        "(so với {3}), {4} vượt mức thường",
        text_en="on {1}% of visits the patient is at facility {0} too within 3 days with the same diagnosis, elsewhere "
        "on {2}% (of {3} compared), {4} above usual",
    ),
    Pairing(
        name="shared_stays",
        rule="scheme TRANSFER_ABUSE",
        scheme="TRANSFER_ABUSE",
        levels=("facility",),
        weight=0.0,
        least=3.0,
        novel=True,
        text_vi="{1}% đợt nội trú nối với một đợt ở cơ sở {0} trong 7 ngày với cùng bệnh, nơi khác là {2}% "
        "(so với {3}), {4} vượt mức thường",
        text_en="{1}% of stays join one at facility {0} within 7 days with the same diagnosis, elsewhere {2}% "
        "(of {3} compared), {4} above usual",
    ),
)

_STRATUM = "r.care || ':' || coalesce(substr(e.ma_benh_chinh, 1, 3), '')"

_SIGNED = f"""
    select given.*, {{entity}} as entity_id, {_STRATUM} as stratum from (
        select version, code, any_value(name order by name) as name, tender, signer, sum(paid) as paid from (
            select version, code, name, tender, paid, trim(signer) as signer from (
                select version, ma_thuoc as code, ten_thuoc as name, split_part(tt_thau, ';', 1) as tender,
                       greatest(coalesce(cast(t_bhtt as double), 0), 0) as paid, {{signed}} as signer
                from drug_line_history where ma_thuoc is not null {{more}}
            ) where version in (select version from _ranking)
        ) where signer <> '' group by all
    ) given join _ranking r using (version) join encounter_history e using (version)
"""
"""What was given on each claim, by who signed it: a drug or supply once, with its money."""

_SUPPLIES = """
    union all select version, ma_vat_tu, ten_vat_tu, split_part(tt_thau, ';', 1),
           greatest(coalesce(cast(t_bhtt as double), 0), 0), {signed}
    from service_line_history where ma_vat_tu is not null
"""

_BY_DOCTOR = {"entity": "r.ma_cskcb || ':' || signer", "signed": "unnest(string_split(ma_bac_si, ';'))"}
_BY_FACILITY = {"entity": "r.ma_cskcb", "signed": "'-'"}

_MOVED = """
    with claim as (
        select version, r.ma_cskcb, e.patient_id, e.ngay_vao, e.ngay_ra, coalesce(r.t_bhtt, 0) as paid,
               substr(e.ma_benh_chinh, 1, 3) as icd3, r.province || ':' || icd3 as stratum
        from _ranking r join encounter_history e using (version)
        where e.patient_id is not null and e.ngay_vao is not null and e.ngay_ra is not null
              and e.ma_benh_chinh is not null and r.province is not null and (r.care = '03') = {stays}
    ),
    beside as (
        select a.version, b.ma_cskcb as partner from claim a join claim b on a.patient_id = b.patient_id
             and a.ma_cskcb <> b.ma_cskcb and a.icd3 = b.icd3
             and b.ngay_vao <= a.ngay_ra + interval {days} day and a.ngay_vao <= b.ngay_ra + interval {days} day
        group by all
    )
    select ma_cskcb as entity_id, version, stratum, partner, paid from claim left join beside using (version)
"""
"""The facilities at which the patient of a claim has another one within so many days, before or after."""


def pairs_of(reader: Reader, pairing: Pairing, level: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cases and hits of a kind of pairs, as `PairReference` reads them; hits also have paid (VND) and name."""
    if pairing.name in ("shared_visits", "shared_stays"):
        stays = pairing.name == "shared_stays"
        reader.keep("_pair", reader.pl(_MOVED.format(stays=stays, days=7 if stays else 3)))
        cases = "count(distinct version)"
        hits = "partner, partner as item, stratum, count(*)::double as seen, sum(paid) as paid, partner as name"
        where = "where partner is not null"
    else:
        by = _BY_FACILITY if level == "facility" else _BY_DOCTOR
        goods = pairing.name == "tender_share"
        more = _SUPPLIES.format(signed=by["signed"]) if goods else ""
        reader.keep("_pair", reader.pl(_SIGNED.format(more=more, **by)))
        cases = "count(*)" if goods else "count(distinct version)"
        partner, name = ("tender", "tender") if goods else ("code", "any_value(name order by name)")
        counted = "count(*)::double" if goods else "count(distinct version)::double"
        hits = f"{partner} as partner, code as item, stratum, {counted} as seen, sum(paid) as paid, {name} as name"
        where = "where tender <> ''" if goods else ""
    return (
        reader.pl(f"select entity_id, stratum, {cases}::double as cases from _pair group by all order by all"),
        reader.pl(f"select entity_id, {hits} from _pair {where} group by all order by all"),
    )


def pair_findings(pairing: Pairing, known: PairReference, cases: pl.DataFrame, hits: pl.DataFrame) -> pl.DataFrame:
    """Findings of a kind of pairs, as the entities have them: value and expected are parts of the entity's cases."""
    if not pairing.novel:
        hits = hits.filter(pl.col("item").is_in(known.seen))
    rows = known.judge(cases, hits, least=pairing.least)
    rows = rows.filter(pl.col("strength") > (0.0 if pairing.weight else TOLD))
    told = hits.group_by("entity_id", "partner").agg(pl.col("paid").sort().sum(), pl.col("name").sort().first())
    rows = rows.join(told, on=["entity_id", "partner"], how="left", maintain_order="left").with_columns(
        value=(pl.col("seen") / pl.col("cases")).round(6), expected=(pl.col("usual") / pl.col("cases")).round(6)
    )
    return rows.select(
        "entity_id",
        "value",
        "expected",
        "tail",
        measure=pl.lit(pairing.name),
        scheme=pl.lit(pairing.scheme),
        peers=pl.lit(known.entities),
        contribution=(pairing.weight * pl.col("strength")).round(6),
        text_vi=pl.Series(_sentences(pairing.text_vi, "vi", rows, known.entities), dtype=pl.String),
        text_en=pl.Series(_sentences(pairing.text_en, "en", rows, known.entities), dtype=pl.String),
    )


def _sentences(template: str, lang: Lang, rows: pl.DataFrame, peers: int) -> list[str]:
    """What is said of each pair: the partner, its part, what is usual, how many were compared, the money beyond."""
    told = rows.select("name", "value", "expected", above=pl.col("paid") * (1.0 - pl.col("usual") / pl.col("seen")))
    return [
        template.format(
            name,
            number(round(100.0 * value, 1), lang),
            number(round(100.0 * expected, 1), lang),
            number(peers, lang),
            dong(above, lang),
        )
        for name, value, expected, above in told.iter_rows()
    ]
