"""Days and minutes of the generated period, as small integers with their texts ready.

Day 0 is the first day of the first month; a moment is day x 1440 + minute. Texts come from tables because a claim
prints some two hundred of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from data.schema import reference

DAY = 24 * 60
AFTER = 150  # days printed beyond the period: supplies that end later, cards, appointments


@dataclass(frozen=True)
class Clock:
    """The period from the first day of a month to `until`."""

    first: date
    until: date

    @classmethod
    def of(cls, months: int, until: date) -> Clock:
        """The last `months` calendar months up to and with `until`."""
        serial = until.year * 12 + until.month - months
        return cls(date(serial // 12, serial % 12 + 1, 1), until)

    @property
    def days(self) -> int:
        """Days in the period."""
        return (self.until - self.first).days + 1

    @cached_property
    def months(self) -> tuple[tuple[int, int], ...]:
        """First day and day after the last of every month."""
        found: list[tuple[int, int]] = []
        start = self.first
        while start <= self.until:
            following = date(start.year + start.month // 12, start.month % 12 + 1, 1)
            end = min(following, self.until + timedelta(days=1))
            found.append(((start - self.first).days, (end - self.first).days))
            start = following
        return tuple(found)

    def date_of(self, day: int) -> date:
        """Calendar date of a day number."""
        return self.first + timedelta(days=day)

    @cached_property
    def day_texts(self) -> list[str]:
        """`yyyymmdd` by day number."""
        return [f"{self.date_of(d):%Y%m%d}" for d in range(self.days + AFTER)]

    @cached_property
    def minute_texts(self) -> list[str]:
        """`HHMM` by minute of the day."""
        return [f"{m // 60:02d}{m % 60:02d}" for m in range(DAY)]

    def text(self, moment: int) -> str:
        """`yyyymmddHHMM` of a moment."""
        return self.day_texts[moment // DAY] + self.minute_texts[moment % DAY]

    @cached_property
    def weekdays(self) -> list[int]:
        """Weekday by day number, Monday 0."""
        start = self.first.weekday()
        return [(start + d) % 7 for d in range(self.days + AFTER)]

    @cached_property
    def holidays(self) -> frozenset[int]:
        """Days on which only emergencies are seen."""
        fixed = {(1, 1), (4, 30), (5, 1), (9, 2)}
        lunar = {2024: (2, 9), 2025: (1, 28), 2026: (2, 16), 2027: (2, 5)}  # eve of the lunar new year
        found: set[int] = set()
        for day in range(self.days):
            when = self.date_of(day)
            eve = lunar.get(when.year)
            if (when.month, when.day) in fixed or (eve and 0 <= (when - date(when.year, *eve)).days <= 4):
                found.add(day)
        return frozenset(found)

    def working(self, day: int) -> bool:
        """Whether it is a weekday that is no holiday."""
        return self.weekdays[day] < 5 and day not in self.holidays

    def month_of(self, day: int) -> int:
        """Calendar month of a day, January 0."""
        return self.date_of(day).month - 1

    def first_month_of_rain(self) -> int:
        """The first day of the month of the epidemic: the rainiest month of the period, else the middle one."""
        rainy = [start for start, _ in self.months if self.date_of(start).month == 7]
        return rainy[0] if rainy else self.months[len(self.months) // 2][0]

    def month_index(self, day: int) -> int:
        """Which month of the period a day is in."""
        return next(i for i, (start, end) in enumerate(self.months) if start <= day < end)

    def base_salary(self, day: int) -> int:
        """Base salary in force on a day, VND."""
        when = self.date_of(day).isoformat()
        rows = [r for r in reference("base_salary") if r["valid_from"] <= when]
        return int((rows[-1] if rows else reference("base_salary")[0])["luong_co_so_vnd"])

    @cached_property
    def exemption_limits(self) -> list[int]:
        """15 % of the base salary by day, in hundredths of VND: below it nobody pays a part."""
        return [self.base_salary(d) * 15 for d in range(self.days)]
