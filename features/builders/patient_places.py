"""Where a patient goes: usual facility and province, how far apart, and how lately elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.asof import as_of
from data.schema import ENCOUNTER_KEY
from features.base import feature
from features.expressions import Frame, count_of, ratio, rows
from features.patients import PATIENT_KEY, PRIOR_KEY, claims_so_far, known_encounters

if TYPE_CHECKING:
    from data.schema import ClaimTables

KM_A_DEGREE = 111.2
RADIANS = 0.017453292519943295
NEAR_DAYS = 30
NEEDS = ("encounter.patient_id", "encounter.ngay_vao")


@feature(
    level="patient",
    needs=(*NEEDS, "encounter.ma_dkbd"),
    columns={
        "patient_same_facility_share": "part of a year's claims at this claim's facility, above 0 to 1; never null",
        "patient_top_facility_share": "part of a year's claims at the commonest facility, above 0 to 1; never null",
        "patient_new_facility": "1 when the year's other claims were all elsewhere, 0 when not; null without others",
        "patient_away_share": "part of a year's claims outside the province of registration (MA_DKBD); null without it",
        "patient_days_since_other_facility": "days since an arrival at another facility, to 365; null without one",
        "patient_days_since_other_province": "days since an arrival in another province, to 365; null without one",
    },
)
def patient_places(tables: ClaimTables) -> Frame:
    """Facilities and provinces of a patient's claims in the year to this arrival. Source: XML1 MA_CSKCB, MA_DKBD."""
    place = nw.col("prior_ma_cskcb")
    province = place.str.slice(0, 2)
    home = nw.col("home").str.strip_chars().str.slice(0, 2)
    registered = tables.encounter.select(
        prior_ma_cskcb=nw.col("ma_cskcb"), prior_ma_lk=nw.col("ma_lk"), home=nw.col("ma_dkbd")
    )
    so_far = claims_so_far(tables).join(registered, on=list(PRIOR_KEY), how="left")
    here = place == nw.col("ma_cskcb")
    days_ago = nw.col("days_ago")
    counted = (
        so_far.with_columns(
            elsewhere=nw.when(~here).then(days_ago),
            other_province=nw.when(province != nw.col("ma_cskcb").str.slice(0, 2)).then(days_ago),
        )
        .group_by(*PATIENT_KEY)
        .agg(
            n=rows(),
            here=count_of(here),
            registered=count_of(~nw.col("home").is_null()),
            away=count_of(home != province),
            patient_days_since_other_facility=nw.col("elsewhere").min(),
            patient_days_since_other_province=nw.col("other_province").min(),
        )
    )
    commonest = (
        so_far.group_by(*PATIENT_KEY, "prior_ma_cskcb").agg(n=rows()).group_by(*PATIENT_KEY).agg(top=nw.col("n").max())
    )
    alone = nw.when(nw.col("here") > 1).then(nw.lit(0.0)).otherwise(nw.lit(1.0))
    return counted.join(commonest, on=list(PATIENT_KEY), how="left").select(
        *PATIENT_KEY,
        "patient_days_since_other_facility",
        "patient_days_since_other_province",
        patient_same_facility_share=nw.col("here") / nw.col("n"),
        patient_top_facility_share=nw.col("top") / nw.col("n"),
        patient_new_facility=nw.when(nw.col("n") > 1).then(alone),
        patient_away_share=ratio(nw.col("away"), nw.col("registered")),
    )


@feature(
    level="patient",
    needs=NEEDS,
    columns={
        "patient_farthest_km_30d": "kilometres from this facility to the farthest within 30 days, from 0; null without",
        "patient_farthest_km_365d": "kilometres from this facility to the farthest within a year, from 0; null without",
    },
)
def patient_distances(tables: ClaimTables) -> Frame:
    """How far apart a patient's facilities lie as the crow flies, from 0 (only this one).

    Null when the catalogue of facilities is not loaded or has no coordinates of this facility on the day of arrival.
    Source: XML1 MA_CSKCB; facilities catalogue, lat and lon.
    """
    places = tables.catalogues.get("facilities")
    if places is None:
        nothing = nw.lit(None, dtype=nw.Float64)
        return known_encounters(tables).select(
            *PATIENT_KEY, patient_farthest_km_30d=nothing, patient_farthest_km_365d=nothing
        )
    asked = known_encounters(tables).select("ma_cskcb", day=nw.col("ngay_vao").dt.truncate("1d")).unique()
    located = as_of(asked, places, on=("ma_cskcb",), day="day", take=("lat", "lon"))
    at = (
        known_encounters(tables)
        .select(*ENCOUNTER_KEY, day=nw.col("ngay_vao").dt.truncate("1d"))
        .join(located, on=["ma_cskcb", "day"], how="left")
    )
    here = at.select(*ENCOUNTER_KEY, "lat", "lon")
    there = at.select(
        prior_ma_cskcb=nw.col("ma_cskcb"), prior_ma_lk=nw.col("ma_lk"), p_lat=nw.col("lat"), p_lon=nw.col("lon")
    )
    # a degree of longitude shrinks with the cosine of the latitude: exact enough inside one country
    north = (nw.col("lat") - nw.col("p_lat")) * KM_A_DEGREE
    east = (nw.col("lon") - nw.col("p_lon")) * KM_A_DEGREE * ((nw.col("lat") + nw.col("p_lat")) / 2 * RADIANS).cos()
    return (
        claims_so_far(tables)
        .join(here, on=list(ENCOUNTER_KEY), how="left")
        .join(there, on=list(PRIOR_KEY), how="left")
        .with_columns(km=(north * north + east * east).sqrt())
        .with_columns(near=nw.when(nw.col("days_ago") <= NEAR_DAYS).then(nw.col("km")))
        .group_by(*PATIENT_KEY)
        .agg(patient_farthest_km_30d=nw.col("near").max(), patient_farthest_km_365d=nw.col("km").max())
    )
