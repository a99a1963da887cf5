"""Words for figures: why a claim is where it is, in Vietnamese and English, from templates a person wrote.

Every number in a sentence is a number of the evidence beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from features.peers import label

Lang = Literal["vi", "en"]


class _Figure(str):
    """A number already written out: whatever format a template asks for, it stays as written."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return str(self)


def number(value: float | None, lang: Lang) -> str:
    """`1.234,5` in Vietnamese, `1,234.5` in English; at most two decimals, "–" for nothing."""
    if value is None:
        return "–"
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return text.translate(str.maketrans(",.", ".,")) if lang == "vi" else text


def dong(value: float | None, lang: Lang) -> str:
    """An amount in whole VND with its sign: `1.234.567 ₫`."""
    return "–" if value is None else f"{number(round(value), lang)} ₫"


def sentence(
    template: str,
    lang: Lang,
    *,
    observed: float | None,
    allowed: float | None,
    amount: float,
    n: int,
    item: str | None = None,
) -> str:
    """A rule's or a finder's reason with its figures filled in; `item` is what its dearest line is called."""
    times = observed / allowed if observed is not None and allowed else None
    return template.format(
        item=item or "–",
        times=_Figure(number(None if times is None else round(times, 1), lang)),
        observed=_Figure(number(observed, lang)),
        allowed=_Figure(number(allowed, lang)),
        amount=_Figure(dong(amount, lang)),
        n=_Figure(number(n, lang)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One source's share in a claim's expected recoverable amount; the shares of a claim add up to it exactly."""

    source: str
    kind: Literal["rule", "detector"]
    scheme: str
    severity: str
    strength: float
    amount: float
    expected_recoverable: float
    observed: float | None
    expected: float | None
    peer_group: str | None
    fields: Sequence[str]
    legal_basis: str | None
    lines: Sequence[tuple[str, int]]
    text_vi: str
    text_en: str

    def as_evidence(self) -> Mapping[str, Any]:
        """The JSON object that exports and the API give."""
        return {
            "source": self.source,
            "kind": self.kind,
            "scheme": self.scheme,
            "severity": self.severity,
            "strength": round(self.strength, 6),
            "amount": round(self.amount, 2),
            "expected_recoverable": round(self.expected_recoverable, 2),
            "observed": self.observed,
            "expected": self.expected,
            "peer_group": self.peer_group,
            "fields": list(self.fields),
            "legal_basis": self.legal_basis,
            "lines": [list(line) for line in self.lines],
            "text_vi": self.text_vi,
            "text_en": self.text_en,
        }


NOTABLE_HABIT = 1.5  # below this a doctor's habit is not worth a sentence


def excess_sentence(
    name: str,
    lang: Lang,
    *,
    observed: float,
    expected: float,
    high: float,
    habit: float,
    peer_group: str | None,
    peer_n: int | None,
    peer_median: float | None,
) -> str:
    """What an excess over what is usual says, beside its peers, with the doctor's habit where it is notable."""
    seen, above, usual, limit = (dong(v, lang) for v in (observed, observed - high, expected, high))
    if lang == "vi":
        parts = [
            f"Chi phí {name} {seen}, vượt {above} trên mức mà 95% hồ sơ tương tự không quá ({limit}), kỳ vọng {usual}"
        ]
    else:
        parts = [
            f"Cost of {name} {seen}, {above} above the {limit} that 95% of similar claims stay within; expected {usual}"
        ]
    if peer_group and peer_n and peer_median is not None:
        group, count, median = label(peer_group, lang), number(peer_n, lang), dong(peer_median, lang)
        parts.append(
            f"trung vị của {count} hồ sơ cùng nhóm ({group}) là {median}"
            if lang == "vi"
            else f"the median of {count} claims of its group ({group}) is {median}"
        )
    if habit >= NOTABLE_HABIT:
        times = number(round(habit, 1), lang)
        parts.append(
            f"bác sĩ (hoặc cơ sở) này vượt mức đó gấp {times} lần thường lệ"
            if lang == "vi"
            else f"this doctor (or facility) lies above that {times} times as often as usual"
        )
    return "; ".join(parts)
