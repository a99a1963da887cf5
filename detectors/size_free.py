"""The features that outlier detectors look at: of care, not of money, so that size alone is never strange."""

SIZE_FREE: tuple[str, ...] = (
    "max_services_one_minute",
    "duplicate_lines",
    "distinct_doctors",
    "visits_7d",
    "visits_30d",
    "facilities_30d",
    "refill_days_in_hand",
    "repeated_tests_30d",
    "bed_days_beyond_nights",
    "declared_days_beyond_nights",
    "supply_over_written",
    "max_service_quantity",
    "cost_per_day",
    "lines_lab",
    "lines_imaging",
    "distinct_drugs",
    "exams",
)
"""Where more of it is what an assessor would ask about."""

NEEDS: tuple[str, ...] = (
    "encounter.ngay_vao",
    "encounter.ngay_ra",
    "drug_line.ma_nhom",
    "drug_line.so_luong",
    "service_line.ma_nhom",
    "service_line.so_luong",
)
"""What was given, how much and over which days: without it a claim looks like one with little care."""
