"""The practices that are counted on claims, and how: which cases, which of them are hits, in which stratum.

Each query reads the view `_ranking` and gives `version`, `stratum`, `trials`, `hits`; a doctor has of a claim the part
that his lines are of it. Telephones and companions are those of the facility's claims: no pair is looked for beyond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from data.schema import reference
from detectors.entity.practice import Practice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data.lake import Reader

BOTH = ("doctor", "facility")

PRACTICES: tuple[Practice, ...] = (
    Practice(
        name="admissions",
        rule="FAC-02",
        scheme="UNNEC_ADMISSION",
        levels=("facility",),
        weight=0.3,
        text_vi="{}% lượt là nội trú, nơi khác cùng bệnh là {}% (so với {} nơi)",
        text_en="{}% of encounters are inpatient stays, elsewhere with the same diagnoses {}% (of {} compared)",
    ),
    Practice(
        name="bed_share",
        rule="FAC-03",
        scheme="LOS_PADDING",
        levels=BOTH,
        weight=0.3,
        text_vi="{}% đợt nội trú có tiền giường trên 40%, nơi khác là {}% (so với {} nơi)",
        text_en="on {}% of stays beds are above 40% of the cost, elsewhere on {}% (of {} compared)",
    ),
    Practice(
        name="below_threshold",
        rule="FAC-04",
        scheme="THRESHOLD_BUNCHING",
        levels=BOTH,
        weight=1.0,
        text_vi="{}% hồ sơ quanh mức 15% lương cơ sở nằm ngay dưới mức, nơi khác là {}% (so với {} nơi)",
        text_en="{}% of claims near 15% of the base salary lie just below it, elsewhere {}% (of {} compared)",
    ),
    Practice(
        name="sick_leave",
        rule="FAC-10",
        scheme="CERTIFICATE_TRADE",
        levels=BOTH,
        weight=1.0,
        text_vi="{}% lượt ngoại trú có giấy nghỉ hưởng BHXH, nơi khác cùng bệnh là {}% (so với {} nơi)",
        text_en="{}% of outpatient visits come with a sick-leave paper, elsewhere {}% (of {} compared)",
    ),
    Practice(
        name="shared_phones",
        rule="scheme BROKER_RING",
        scheme="BROKER_RING",
        levels=BOTH,
        weight=1.0,
        text_vi="{}% hồ sơ có số điện thoại chung của từ 3 người bệnh trở lên, nơi khác là {}% (so với {} nơi)",
        text_en="{}% of claims have a telephone that three patients or more share, elsewhere {}% (of {} compared)",
    ),
    Practice(
        name="companions",
        rule="scheme COMPANION_GROUPS",
        scheme="COMPANION_GROUPS",
        levels=BOTH,
        weight=1.0,
        text_vi="{}% lượt đến cùng một người khác từ 3 ngày trở lên, nơi khác là {}% (so với {} nơi)",
        text_en="on {}% of visits the patient came with someone he came with on 3 days or more, elsewhere {}% (of {})",
    ),
    Practice(
        name="round_quantities",
        rule="FAC-16",
        scheme="QTY_INFLATION",
        levels=BOTH,
        weight=0.3,
        text_vi="{}% dòng thuốc có số lượng tròn chục, nơi khác cùng thuốc là {}% (so với {} nơi)",
        text_en="{}% of drug lines have a round quantity, elsewhere of the same drugs {}% (of {} compared)",
    ),
    Practice(
        name="self_pay",
        rule="LTH-07",
        scheme="LAM_THU_IN_PRICE",
        levels=("facility",),
        weight=0.3,
        text_vi="{}% hồ sơ có phần tự trả trên 10%, nơi khác cùng bệnh là {}% (so với {} nơi)",
        text_en="on {}% of claims patients pay over 10% themselves, elsewhere on {}% (of {} compared)",
    ),
    Practice(
        name="tests_sent_out",
        rule="TRN-05",
        scheme="SELF_REFERRAL_TEST",
        levels=("facility",),
        weight=0.3,
        text_vi="{}% xét nghiệm gửi cơ sở khác, nơi khác là {}% (so với {} nơi)",
        text_en="{}% of tests are sent to another facility, elsewhere {}% (of {} compared)",
    ),
)

_LETTER = "coalesce(substr(e.ma_benh_chinh, 1, 1), '')"
_CLAIM = "from _ranking r join encounter_history e using (version)"

_QUERIES: Mapping[str, str] = {
    "admissions": f"""
        select version, {_LETTER} as stratum, 1.0 as trials, (r.care = '03')::double as hits {_CLAIM}
        where r.care in ('01', '03')
    """,
    "bed_share": f"""
        with bed as (
            select version, sum(t_bhtt) as bed from service_line_history
            where ma_nhom in (14, 15, 16) and version in (select version from _ranking) group by all
        )
        select version, {_LETTER} as stratum, 1.0 as trials, (coalesce(bed, 0) > 0.4 * r.t_bhtt)::double as hits
        {_CLAIM} left join bed using (version) where r.care = '03' and r.t_bhtt > 0
    """,
    "below_threshold": f"""
        select version, '' as stratum, 1.0 as trials, (e.t_tongchi_bh < s.mark)::double as hits
        {_CLAIM} asof join _salary s on e.ngay_vao >= s.since
        where e.t_tongchi_bh >= 0.95 * s.mark and e.t_tongchi_bh < 1.05 * s.mark
    """,
    "sick_leave": f"""
        select version, {_LETTER} as stratum, 1.0 as trials, (p.version is not null)::double as hits
        {_CLAIM} left join (select distinct version from xml11) p using (version) where r.care = '01'
    """,
    "shared_phones": """
        with known as (
            select version, e.ma_cskcb, e.phone_id, e.patient_id
            from _ranking r join encounter_history e using (version)
            where e.phone_id is not null and e.patient_id is not null
        ),
        shared as (
            select ma_cskcb, phone_id from known group by all having count(distinct patient_id) >= 3
        )
        select version, '' as stratum, 1.0 as trials, (s.phone_id is not null)::double as hits
        from known left join shared s using (ma_cskcb, phone_id)
    """,
    "companions": """
        with visit as (
            select version, e.ma_cskcb, e.patient_id, e.ngay_vao, cast(e.ngay_vao as date) as day,
                   floor(epoch(e.ngay_vao) / 600) as slot
            from _ranking r join encounter_history e using (version)
            where e.patient_id is not null and e.ngay_vao is not null and r.care <> '03'
        ),
        near as (
            select * from visit union all select * replace (slot + 1 as slot) from visit
        ),
        met as (
            select distinct a.version, a.ma_cskcb, a.day, a.patient_id, b.patient_id as other
            from visit a join near b on a.ma_cskcb = b.ma_cskcb and a.slot = b.slot and a.patient_id <> b.patient_id
            where abs(epoch(a.ngay_vao) - epoch(b.ngay_vao)) <= 600
            union
            select distinct a.version, a.ma_cskcb, a.day, a.patient_id, b.patient_id
            from near a join visit b on a.ma_cskcb = b.ma_cskcb and a.slot = b.slot and a.patient_id <> b.patient_id
            where abs(epoch(a.ngay_vao) - epoch(b.ngay_vao)) <= 600
        ),
        together as (
            select ma_cskcb, patient_id, other from met group by all having count(distinct day) >= 3
        ),
        hit as (select distinct version from met join together using (ma_cskcb, patient_id, other))
        select version, '' as stratum, 1.0 as trials, (h.version is not null)::double as hits
        from visit left join hit h using (version)
    """,
    "round_quantities": """
        select version, ma_thuoc as stratum, count(*)::double as trials,
               count(*) filter (so_luong in (10, 20, 30, 50, 100))::double as hits
        from drug_line_history where version in (select version from _ranking) and ma_thuoc is not null and so_luong > 0
        group by all
    """,
    "self_pay": f"""
        select version, {_LETTER} as stratum, 1.0 as trials,
               (coalesce(e.t_bntt, 0) > 0.1 * e.t_tongchi_bv)::double as hits
        {_CLAIM} where e.t_tongchi_bv > 0
    """,
    "tests_sent_out": """
        select version, '' as stratum, count(*)::double as trials,
               count(*) filter (contains(ma_dich_vu, '.K.'))::double as hits
        from service_line_history where ma_nhom = 1 and version in (select version from _ranking) group by all
    """,
}

CO_PAYMENT_FREE = 0.15  # of the base salary: below, the insured pays no part


def counted(reader: Reader, practice: Practice) -> pl.DataFrame:
    """Cases and hits of a practice, of the entities of the view `_claim`: entity_id, stratum, trials, hits."""
    if practice.name == "below_threshold":
        marks = [
            (row["valid_from"], CO_PAYMENT_FREE * float(row["luong_co_so_vnd"])) for row in reference("base_salary")
        ]
        salary = pl.DataFrame(marks, schema={"since": pl.String, "mark": pl.Float64}, orient="row")
        reader.keep("_salary", salary.with_columns(pl.col("since").str.to_date().cast(pl.Datetime("us"))))
    return reader.pl(
        f"""
        select entity_id, stratum, round(fsum(trials * part), 9) as trials, round(fsum(hits * part), 9) as hits
        from _claim join ({_QUERIES[practice.name]}) using (version) group by all order by all
        """
    )
