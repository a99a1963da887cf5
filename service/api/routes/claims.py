"""Ranked claims, one claim, and why it is where it is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from data.errors import MinhBachError
from service.api import shapes
from service.api.access import AppDep, ClaimReader
from service.api.cursors import BadCursor, read_place
from service.api.presenting import claim_detail, claim_list, explanation
from service.listing import Listing
from service.reading import ClaimFilters

router = APIRouter(prefix="/api/v1/claims", tags=["claims"])
SIZE = 50
MOST = 500
MOST_CLAIMS = 1_000_000
MOST_HOURS = 100_000
_HOW = ("one_per_pattern", "budget_claims", "budget_hours")


class NotScored(MinhBachError):
    """A claim that the run did not score."""

    code, http_status = "claim_not_scored", 404

    def __init__(self, claim_id: str) -> None:
        """The way out is another run."""
        super().__init__(
            f"claim {claim_id} was not scored in this run: score it with `minhbach score`, or name another run",
            vi=f"Hồ sơ {claim_id} chưa có điểm trong lần chấm này: hãy chạy `minhbach score` hoặc chọn lần khác",
        )


class ClaimQuery(BaseModel):
    """Filters of the ranking; a name that is not here is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid")

    province: str | None = Field(default=None, max_length=2)
    facility: str | None = Field(default=None, max_length=5, description="MA_CSKCB")
    ma_loai_kcb: str | None = Field(default=None, max_length=3)
    scheme: str | None = Field(default=None, max_length=64)
    doctor: str | None = Field(default=None, max_length=300, description="MA_CSKCB:MA_BAC_SI")
    patient: str | None = Field(default=None, max_length=100, description="pseudonym")
    pattern: str | None = Field(default=None, max_length=64, description="only claims alike: `pattern` of one of them")
    flagged: bool = False
    min_amount: Decimal | None = Field(default=None, ge=0, description="of amount_at_risk, VND")
    text: str | None = Field(default=None, max_length=200, description="start of MA_LK, MA_CSKCB, MA_BAC_SI or ICD")
    date_from: date | None = Field(default=None, description="NGAY_RA, included")
    date_to: date | None = Field(default=None, description="NGAY_RA, included")
    one_per_pattern: bool = Field(
        default=False, description="of claims alike only the first by rank, with how many more there are"
    )
    budget_claims: int | None = Field(default=None, ge=1, le=MOST_CLAIMS, description="only the first so many")
    budget_hours: float | None = Field(
        default=None,
        gt=0,
        le=MOST_HOURS,
        description="only what can be read in so many hours, most expected_recoverable a minute first; "
        "reading times are estimates",
    )
    run: str | None = Field(default=None, max_length=100, description="default: the newest run")
    cursor: str | None = Field(default=None, max_length=1000)
    size: int = Field(default=SIZE, ge=1, le=MOST)

    def filters(self) -> ClaimFilters:
        """What the ranking is filtered by."""
        return ClaimFilters(**self.model_dump(exclude={"run", "cursor", "size", *_HOW}))

    def listing(self) -> Listing:
        """How it is listed."""
        return Listing(one_per_pattern=self.one_per_pattern, claims=self.budget_claims, hours=self.budget_hours)


@router.get("")
def ranked_claims(app: AppDep, user: ClaimReader, query: Annotated[ClaimQuery, Query()]) -> shapes.ClaimList:
    """The claims of a run, best first, within your area; all of them, one of each pattern, or what a budget allows."""
    run_id, place = read_place(query.cursor) if query.cursor else (query.run, None)
    if run_id is None:
        newest = app.reading.latest_run()
        run_id = newest.run_id if newest else None
    listing = query.listing()
    if place is not None and (place.worth is None) != (listing.hours is None):
        raise BadCursor
    rows = app.reading.claims_after(user.scope, query.filters(), listing, place, query.size, run_id)
    return claim_list(run_id, rows, query.size, by_worth=listing.hours is not None)


@router.get("/{claim_id:path}/explanation")
def claim_explanation(app: AppDep, user: ClaimReader, claim_id: str, run: str | None = None) -> shapes.Explanation:
    """Rank, score, reasons and evidence of one claim (MA_CSKCB:MA_LK)."""
    detail = app.reading.claim(user.scope, claim_id, run)
    if detail.run is None or detail.row is None:
        raise NotScored(claim_id)
    return explanation(detail, detail.run, detail.row)


@router.get("/{claim_id:path}")
def one_claim(app: AppDep, user: ClaimReader, claim_id: str, run: str | None = None) -> shapes.ClaimDetail:
    """One claim (MA_CSKCB:MA_LK) with its lines, signals, peers, versions and the patient's history."""
    return claim_detail(app.reading.claim(user.scope, claim_id, run))
