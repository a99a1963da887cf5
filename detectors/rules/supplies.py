"""Supplies: the ceiling on the package of one procedure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import service, stay
from detectors.expressions import SERVICES, SUPPLIES, base_salary, line_hits, lines, money, with_encounter
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

PACKAGE = facts("TOT-06")
_IMPLANT: dict[str, Any] = {
    "ma_nhom": 10,
    "ma_dich_vu": None,
    "ma_vat_tu": "N06.02.020",
    "ten_vat_tu": "Stent động mạch vành",
}


@rule(
    id="TOT-06",
    version=1,
    scheme="CAP_BREACH",
    severity="deny",
    title_vi="Gói vật tư vượt 45 tháng lương cơ sở",
    title_en="Supply package above 45 base salaries",
    reason_vi="Quỹ chi {observed} đồng cho một gói vật tư, trần {allowed} đồng (45 tháng lương cơ sở).",
    reason_en="The fund pays {observed} VND for one supply package, the ceiling is {allowed} VND (45 base salaries).",
    legal_basis="TT04/2017 Đ3 k2 b",
    needs=("encounter.card_class", "service_line.ma_nhom", "service_line.ngay_yl", "service_line.t_bhtt"),
    known_gaps_vi="Gói tách đôi để nằm dưới trần, và vật tư không ghi mã gói, thì không thấy.",
    known_gaps_en=(
        "A package split in two to stay below the ceiling, and supplies without a package code, are not seen."
    ),
    examples=(
        hit(
            "gói 150 triệu đồng, hưởng 80%",
            "a package of 150 million at 80%",
            stay(),
            service(price=50_000_000, quantity=3, goi_vtyt="G1", **_IMPLANT),
            amount=150_000_000 * 0.8 - PACKAGE.months * 2_340_000,
        ),
        clear("dưới trần", "below the ceiling", stay(), service(price=50_000_000, goi_vtyt="G1", **_IMPLANT)),
        clear(
            "thẻ không áp trần",
            "card without ceilings",
            stay(card_class="CC1"),
            service(price=50_000_000, quantity=3, muc_huong=100, goi_vtyt="G1", **_IMPLANT),
        ),
        clear(
            "hai kỹ thuật, hai gói",
            "two techniques, two packages",
            stay(),
            service(price=100_000_000, goi_vtyt="G1", **_IMPLANT),
            service(price=100_000_000, goi_vtyt="G2", **_IMPLANT),
        ),
        not_evaluable(
            "thiếu ký hiệu thẻ", "no card class", stay(card_class=None), service(price=1, goi_vtyt="G1", **_IMPLANT)
        ),
    ),
)
def package_above_ceiling(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lines of supply packages whose fund amount is above the ceiling of the day, each with its share of the excess."""
    package = [*ENCOUNTER_KEY, "goi_vtyt"]
    packed = with_encounter(
        lines(tables, SERVICES, "ma_nhom", "goi_vtyt", "ngay_yl", "t_bhtt"), tables, "card_class"
    ).filter(
        nw.col("ma_nhom").is_in(SUPPLIES),
        nw.col("goi_vtyt").str.strip_chars() != "",
        ~nw.col("e_card_class").str.slice(2, 1).is_in(PACKAGE.no_ceiling_digits),
        money("t_bhtt") > 0,
    )
    above = (
        packed.select(*package, "ngay_yl", fund=money("t_bhtt"))
        .group_by(*package)
        .agg(nw.col("fund").sum(), nw.col("ngay_yl").min())
        .select(*package, "fund", ceiling=PACKAGE.months * base_salary(nw.col("ngay_yl")))
        .filter(nw.col("fund") > nw.col("ceiling") + 1)
    )
    found = packed.join(above, on=package, how="inner")
    fund, ceiling = nw.col("fund"), nw.col("ceiling")
    return line_hits(found, amount=(fund - ceiling) / fund * money("t_bhtt"), observed=fund, allowed=ceiling)
