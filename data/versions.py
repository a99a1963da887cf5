"""Which claim stands for which: resends, withdrawals, copies under another MA_LK, outpatient files gone inpatient.

A resend or withdrawal follows from the key alone: the highest version of a (ma_cskcb, ma_lk) is current. What needs
the content is decided here, once a load, and kept in the table `supersession`: two claims of one content are one,
counted under the MA_LK that came first, and an outpatient file whose lines all stand again in the inpatient file of the
same stay is counted there. A relation holds as long as the version that stands for the other is current itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from data.lake import PLAIN_TABLES, Reader

OUTPATIENT = ("01", "02", "05", "07", "08", "10")
INPATIENT = ("03", "04", "06", "09")

_LINES = ("drug_line", "service_line")


def fresh_claims(reader: Reader, staged: Mapping[str, Sequence[Path]]) -> None:
    """Make what a load brings known to its reader: `_fresh`, `_fresh_drug_line`, `_fresh_service_line`, and `_now`.

    `_now` has the claims that will be current by key after the load: `first` is the first version of the key, `fresh`
    whether the load brings it.
    """
    for table in ("encounter", *_LINES):
        reader.keep_files("_fresh" if table == "encounter" else f"_fresh_{table}", table, staged.get(table, ()))
    reader.run(
        """
        create or replace table _latest as
        select * from (
            select version, ma_cskcb, ma_lk, withdrawn, content_id, patient_id, ma_loai_kcb, ngay_vao, ngay_ra, month,
                   min(version) over (partition by ma_cskcb, ma_lk) as first,
                   row_number() over (partition by ma_cskcb, ma_lk order by version desc) as age
            from _fresh);
        create or replace table _now as
        select f.* exclude (age, first), least(f.first, coalesce(e.first, f.first)) as first, true as fresh
        from (from _latest where age = 1 and not withdrawn) f
        left join (select h.ma_cskcb, h.ma_lk, min(h.version) as first from encounter_history h
                   semi join _latest using (ma_cskcb, ma_lk) group by all) e using (ma_cskcb, ma_lk)
        union all by name
        select version, ma_cskcb, ma_lk, withdrawn, content_id, patient_id, ma_loai_kcb, ngay_vao, ngay_ra, month,
               version as first, false as fresh
        from claimed_encounter e anti join _latest using (ma_cskcb, ma_lk)
        where month in (select month from _fresh) or content_id in (
            select h.content_id from claimed_encounter h semi join _latest using (ma_cskcb, ma_lk));
        """
    )


def supersessions(reader: Reader, load_id: str) -> pl.DataFrame:
    """The rows of `supersession` that a load adds. Call after `fresh_claims`."""
    copies = """
        select version, first_value(version) over same as by_version, 'copy' as reason, month
        from _now where content_id in (
            select content_id from _fresh union all
            select h.content_id from claimed_encounter h semi join _latest using (ma_cskcb, ma_lk))
        window same as (partition by content_id order by first, version)
        qualify count(*) over (partition by content_id) > 1 and version <> by_version
    """
    lines = " union all ".join(
        f"""
        select '{table}' as line_table, version, coalesce({code}) as code, ngay_yl, so_luong, thanh_tien_bh
        from {table}_history where version in (select version from _pair_version) and month in (select month from _pair)
        union all
        select '{table}', version, coalesce({code}), ngay_yl, so_luong, thanh_tien_bh
        from _fresh_{table} where version in (select version from _pair_version)
        """
        for table, code in (("drug_line", "ma_thuoc, ten_thuoc"), ("service_line", "ma_dich_vu, ma_vat_tu"))
    )
    reader.run(
        f"""
        create or replace table _pair as
        select o.version as version, i.version as by_version, o.month
        from _now o join _now i
          on i.ma_cskcb = o.ma_cskcb and i.patient_id = o.patient_id and i.ma_lk <> o.ma_lk
         and i.ngay_vao between o.ngay_vao - interval 1 day and o.ngay_ra + interval 1 day
        where o.ma_loai_kcb in {OUTPATIENT} and i.ma_loai_kcb in {INPATIENT} and (o.fresh or i.fresh);
        create or replace table _pair_version as
        select version from _pair union select by_version from _pair;
        """
    )
    rows = reader.pl(
        f"""
        with line as ({lines}),
        counted as (select line_table, version, code, ngay_yl, so_luong, thanh_tien_bh, count(*) as n
                    from line group by all),
        continued as (
            select p.version, min(p.by_version) as by_version, 'continued' as reason, any_value(p.month) as month
            from (
                select p.version, p.by_version, p.month, bool_and(coalesce(i.n, 0) >= o.n) as contained
                from _pair p join counted o on o.version = p.version
                left join counted i on i.version = p.by_version and i.line_table = o.line_table
                 and i.code is not distinct from o.code and i.ngay_yl is not distinct from o.ngay_yl
                 and i.so_luong is not distinct from o.so_luong and i.thanh_tien_bh is not distinct from o.thanh_tien_bh
                group by p.version, p.by_version, p.month
            ) p where p.contained group by p.version
        )
        select version, by_version, reason, month from ({copies})
        union all select version, by_version, reason, month from continued
        order by version, by_version
        """
    )
    stamped = rows.with_columns(load_id=pl.lit(load_id))
    return stamped.select(pl.col(c).cast(t) for c, t in PLAIN_TABLES["supersession"].items())


CHANGES_SQL = """
    with before as (select ma_cskcb, ma_lk, version, t_bhtt from claim_version where load_seq <= $first
                    qualify row_number() over (partition by ma_cskcb, ma_lk order by version desc) = 1),
    later as (select ma_cskcb, ma_lk, max(version) as version from claim_version
              where load_seq > $first and load_seq <= $last group by all)
    select v.ma_cskcb, v.ma_lk, v.change, v.version, b.version as was, v.t_bhtt, b.t_bhtt as t_bhtt_was
    from later join claim_version v using (ma_cskcb, ma_lk, version) left join before b using (ma_cskcb, ma_lk)
    order by v.ma_cskcb, v.ma_lk
"""


def changes(reader: Reader, first: int, last: int | None = None) -> pl.DataFrame:
    """What happened to claims after snapshot `first`, up to `last` (the reader's own by default).

    One row a claim that came, was replaced, withdrawn or sent as a copy: key, `change` (see `claim_version`), `version`
    and T_BHTT now, and `was` and `t_bhtt_was` before; null for what is new.
    """
    return reader.pl(CHANGES_SQL, {"first": first, "last": reader.snapshot if last is None else last})
