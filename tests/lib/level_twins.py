"""The slow twin of each level of features, by level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from features.base import Level
from tests.lib.claims import Claims
from tests.lib.line_twins import line_features
from tests.lib.patient_twins import patient_features
from tests.lib.twins import doctor_month_features, encounter_features, facility_month_features

TWINS: Mapping[Level, Callable[[Claims], dict[tuple[Any, ...], dict[str, Any]]]] = {
    "line": line_features,
    "encounter": encounter_features,
    "patient": patient_features,
    "doctor_month": doctor_month_features,
    "facility_month": facility_month_features,
}
