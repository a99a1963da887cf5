"""Scoring on the spot: claims in, scores and reasons out, nothing stored."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.requests import Request

from data.errors import MinhBachError
from service.accounts import check_within
from service.api import shapes
from service.api.access import AppDep, ClaimScorer
from service.api.presenting import plain
from service.problems import BodyTooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.accounts import User
    from service.api.state import AppState, ScoredClaim

router = APIRouter(prefix="/api/v1", tags=["score"])
MOST_CLAIMS = 1_000
XML_TYPES = frozenset({"application/xml", "text/xml"})
_HOSO = re.compile(rb"<HOSO[\s>]")

_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/xml": {
            "schema": {"type": "string", "format": "binary", "description": "a GIAMDINHHS envelope, up to 1,000 HOSO"}
        },
        "application/json": {
            "schema": {
                "description": "one claim or up to 1,000: tables XML1 to XML5, rows by official field name",
                "oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}, "maxItems": MOST_CLAIMS}],
                "example": {
                    "XML1": {"MA_LK": "L000001", "MA_CSKCB": "98001", "NGAY_VAO": "202601050800"},
                    "XML2": [{"STT": 1, "MA_THUOC": "40.678", "SO_LUONG": "30.000"}],
                    "XML3": [],
                },
            }
        },
    },
}


class NoModel(MinhBachError):
    """No model was trained yet."""

    code, http_status = "no_model", 503

    def __init__(self) -> None:
        """The way out is to train one."""
        super().__init__(
            "no model is in use: train one with `minhbach train`",
            vi="Chưa có mô hình nào được dùng: hãy huấn luyện bằng `minhbach train`",
        )


class BadClaims(MinhBachError):
    """JSON that does not hold claims."""

    code, http_status = "bad_claims", 422


@router.post("/score", openapi_extra={"requestBody": _BODY})
async def score(request: Request, app: AppDep, user: ClaimScorer) -> shapes.Scored:
    """Score one claim or up to 1,000 as the nightly run would with the same data and model; nothing is stored."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in XML_TYPES and kind != "application/json":
        raise UnsupportedMediaType(
            f"content type {kind or 'none'} is not read: send application/xml or application/json",
            vi=f"Không nhận kiểu nội dung {kind or 'trống'}: hãy gửi application/xml hoặc application/json",
        )
    return await run_in_threadpool(_scored, app, user, kind, await request.body())


def _scored(app: AppState, user: User, kind: str, body: bytes) -> shapes.Scored:
    if app.scorer is None:
        raise NoModel
    found: Sequence[ScoredClaim]
    if kind in XML_TYPES:
        _check_number(len(_HOSO.findall(body)))
        found = app.scorer.score_xml(body)
    else:
        found = app.scorer.score_json(_claims(body))
    for claim in found:
        check_within(user, str(claim["ma_cskcb"]))
    return shapes.Scored(claims=[plain(claim) for claim in found])


def _claims(body: bytes) -> Sequence[Mapping[str, Any]]:
    try:
        sent: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise BadClaims("the body is not JSON", vi="Nội dung gửi lên không phải JSON") from None
    claims = cast("list[Any]", sent if isinstance(sent, list) else [sent])
    _check_number(len(claims))
    wrong = next((place for place, claim in enumerate(claims) if not isinstance(claim, dict)), None)
    if not claims or wrong is not None:
        raise BadClaims(
            f"claim {(wrong or 0) + 1} is not an object: send one claim, or a list of claims",
            vi=f"Hồ sơ thứ {(wrong or 0) + 1} không phải đối tượng JSON: hãy gửi một hồ sơ hoặc một danh sách hồ sơ",
        )
    return cast("list[Mapping[str, Any]]", claims)


def _check_number(claims: int) -> None:
    if claims > MOST_CLAIMS:
        raise BodyTooLarge(
            f"{claims} claims in one request: send at most {MOST_CLAIMS}, or load them with `minhbach ingest`",
            vi=f"{claims} hồ sơ trong một lần gửi: tối đa {MOST_CLAIMS}, hoặc nạp bằng `minhbach ingest`",
        )
