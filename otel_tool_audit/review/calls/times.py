"""
Times as people say them: "2 days ago", "yesterday", "March", "last week", "2026-03-01 09:30", "7d". Pure: the clock is passed in.

A phrase names a period: a day, a month, the last seven days; or a moment, which is a period without length. What can be read
in two ways is refused, and the readings are named, for an answer about the wrong month is worse than none.

A grammar of its own: the libraries for this guess where two readings are possible, by the locale or by the order of fields.

Source: RFC 3339, section 5.6; ISO 8601 (weeks begin on Monday); IANA time zones (PEP 615).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from otel_tool_audit.review.calls.clocks import zone_name

_MONTHS: Final = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH_NUMBERS: Final = {name[:n]: i for i, name in enumerate(_MONTHS, 1) for n in (3, len(name))} | {"sept": 9}
_DAY_NUMBERS: Final = {name[:n]: i for i, name in enumerate(_DAYS) for n in (3, len(name))}
_MONTH: Final = "|".join(sorted(_MONTH_NUMBERS, key=len, reverse=True))
_DAY: Final = "|".join(sorted(_DAY_NUMBERS, key=len, reverse=True))
_UNITS: Final = {
    "s": "second", "sec": "second", "second": "second", "m": "minute", "min": "minute", "minute": "minute", "h": "hour", "hr": "hour", "hour": "hour",
    "d": "day", "day": "day", "w": "week", "week": "week", "month": "month", "y": "year", "year": "year",
}  # fmt: skip
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_UNIT: Final = "|".join(sorted(_UNITS, key=len, reverse=True))
_CLOCK: Final = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))?)?"
_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)")
_WORDS: Final = ("now", "today", "yesterday", "tomorrow", "ago", "last", "this", "week", "month", "quarter", "year", *_MONTHS, *_DAYS)
_HELP: Final = "write a date (2026-03-01), a month (March 2026), a phrase (yesterday, last week, 2 days ago) or how long ago (90m, 12h, 7d)"
_MONTHS_A_YEAR: Final = 12


class AmbiguousTimeError(ValueError):
    """Text that names no time, or more than one; the message says which are understood."""


class Period(NamedTuple):
    """
    What a phrase names.

    Attributes:
        begin: Its first moment, UTC.
        end: The first moment after it, UTC; *begin* itself for a moment.
        assumed: Whether the answer depends on a time zone that the text does not name.
    """

    begin: datetime
    end: datetime
    assumed: bool


class _Context(NamedTuple):
    """What phrases count from: now, as the clocks of the zone show it."""

    now: datetime
    zone: tzinfo

    @property
    def today(self) -> datetime:
        return datetime.combine(self.now.astimezone(self.zone).date(), time.min)


def read_time(text: str, now: datetime, zone: tzinfo = UTC) -> Period:
    """
    Read a time as people say it.

    Args:
        text: What was said.
        now: What "ago" counts from; aware.
        zone: What a time without a zone is meant in.

    Raises:
        AmbiguousTimeError: It names no time, or more than one.
    """
    said = re.sub(r"[\s,]+", " ", text).strip().casefold()
    context = _Context(now, zone)
    try:
        for pattern, read in _GRAMMAR:
            found = pattern.fullmatch(said)
            if found is not None:
                named = found.groupdict().get("zone")
                period = read(found, context._replace(zone=read_zone(named)) if named else context)
                return period._replace(assumed=period.assumed and not named)
    except (OverflowError, ValueError) as error:
        if isinstance(error, AmbiguousTimeError):
            raise
        message = f"{text!r} names no day or time of the calendar ({error}); {_HELP}"
        raise AmbiguousTimeError(message) from None
    near = [word for part in said.split() for word in difflib.get_close_matches(part, _WORDS, 1, 0.75) if word != part]
    message = f"{text!r} is no time that is understood{f' (did you mean {near[0]}?)' if near else ''}; {_HELP}"
    raise AmbiguousTimeError(message)


def read_zone(name: str) -> tzinfo:
    """
    Read the name of a time zone.

    Args:
        name: ``UTC``, an IANA name such as ``Europe/Berlin``, or an offset such as ``+01:00``.

    Raises:
        AmbiguousTimeError: There is no such zone; the nearest ones are named.
    """
    wanted = name.strip()
    if wanted.casefold() in {"utc", "z", "gmt"}:
        return UTC
    offset = _OFFSET.fullmatch(wanted)
    try:
        if offset is not None:
            ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
            return timezone(ahead if offset[1] == "+" else -ahead)
        return ZoneInfo(wanted)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = {zone.casefold(): zone for zone in available_timezones()}
    if wanted.casefold() in known:
        return ZoneInfo(known[wanted.casefold()])
    cities = {zone.rpartition("/")[2]: known[zone] for zone in known}
    near = [known[n] for n in difflib.get_close_matches(wanted.casefold(), known, 3)] or [
        cities[n] for n in difflib.get_close_matches(wanted.casefold().replace(" ", "_"), cities, 3, 0.75)
    ]
    message = (
        f"there is no time zone {name!r}; {'nearest: ' + ', '.join(near) if near else 'write UTC, an IANA name such as Europe/Berlin, or +01:00'}"
    )
    raise AmbiguousTimeError(message)


# --- what phrases name


def _ago(found: re.Match[str], context: _Context) -> Period:
    count = 1 if found["count"] in {"a", "an", None} else int(found["count"])
    unit = _UNITS[found["unit"]]
    if unit in _SECONDS:
        begin = context.now.astimezone(UTC) - timedelta(seconds=count * _SECONDS[unit])
    else:
        begin = _months_before(context, count * (_MONTHS_A_YEAR if unit == "year" else 1))
    # "2 days ago" is a moment; "7d" and "last 7 days" are the time since
    moment = found.groupdict().get("ago") is not None
    return Period(begin, begin if moment else context.now.astimezone(UTC), assumed=unit in {"month", "year"})


def _months_before(context: _Context, count: int) -> datetime:
    local = context.now.astimezone(context.zone)
    year, month = divmod(local.year * _MONTHS_A_YEAR + local.month - 1 - count, _MONTHS_A_YEAR)
    day = min(local.day, (_month(year, month + 1)[1] - timedelta(days=1)).day)
    return local.replace(year=year, month=month + 1, day=day).astimezone(UTC)


def _now(_: re.Match[str], context: _Context) -> Period:
    now = context.now.astimezone(UTC)
    return Period(now, now, assumed=False)


def _named_day(found: re.Match[str], context: _Context) -> Period:
    day = context.today + timedelta(days={"yesterday": -1, "today": 0, "tomorrow": 1}[found["day"]])
    return _day(day, found, context)


def _weekday(found: re.Match[str], context: _Context) -> Period:
    today = context.today
    back = (today.weekday() - _DAY_NUMBERS[found["day"]]) % 7
    if back == 0 and found["last"] is None:
        message = f"{found[0]!r} is today ({today:%Y-%m-%d}) or a week ago ({today - timedelta(days=7):%Y-%m-%d}); write the date, today, or last {found['day']}"
        raise AmbiguousTimeError(message)
    return _day(today - timedelta(days=back or 7), found, context)


def _this_or_last(found: re.Match[str], context: _Context) -> Period:
    today, back = context.today, found["which"] in {"last", "previous"}
    if found["unit"] == "week":
        begin = today - timedelta(days=today.weekday() + 7 * back)
        return _between(begin, begin + timedelta(days=7), context.zone)
    if found["unit"] == "year":
        return _between(*_year(today.year - back), context.zone)
    if found["unit"] == "quarter":
        return _between(*_quarter(today.year * 4 + (today.month - 1) // 3 - back), context.zone)
    year, month = divmod(today.year * _MONTHS_A_YEAR + today.month - 1 - back, _MONTHS_A_YEAR)
    return _between(*_month(year, month + 1), context.zone)


def _month_said(found: re.Match[str], context: _Context) -> Period:
    month = _MONTH_NUMBERS[found["month"]]
    today = context.today
    # without a year: the last one that has begun
    year = int(found["year"]) if found["year"] else today.year - (month > today.month)
    return _between(*_month(year, month), context.zone)


def _day_said(found: re.Match[str], context: _Context) -> Period:
    month, number, today = _MONTH_NUMBERS[found["month"]], int(found["number"]), context.today
    if found["year"]:
        return _day(_midnight(int(found["year"]), month, number), found, context)
    # without a year: the last one that has come; a leap day comes within eight years
    years = range(today.year, today.year - 9, -1)
    day = next((day for day in (_date(year, month, number) for year in years) if day is not None and day <= today), None)
    if day is None:
        message = f"no year has a {found[0]}"
        raise ValueError(message)
    return _day(day, found, context)


def _quarter_said(found: re.Match[str], context: _Context) -> Period:
    number, today = int(found["quarter"]) - 1, context.today
    year = int(found["year"]) if found["year"] else today.year - (number > (today.month - 1) // 3)
    return _between(*_quarter(year * 4 + number), context.zone)


def _iso_week(found: re.Match[str], context: _Context) -> Period:
    begin = datetime.fromisocalendar(int(found["year"]), int(found["week"]), 1)
    return _between(begin, begin + timedelta(days=7), context.zone)


def _iso_day(found: re.Match[str], context: _Context) -> Period:
    return _day(_midnight(int(found["year"]), int(found["month"]), int(found["number"])), found, context)


def _clock_alone(found: re.Match[str], context: _Context) -> Period:
    return _day(context.today, found, context)


def _by_figures(found: re.Match[str], _: _Context) -> Period:
    first, second, year = int(found["first"]), int(found["second"]), int(found["year"])
    year += 2000 if len(found["year"]) == 2 else 0  # noqa: PLR2004 - "26" is written for 2026
    readings = sorted({f"{year:04}-{m:02}-{d:02}" for d, m in ((first, second), (second, first)) if _date(year, m, d)}, reverse=True)
    message = f"{found[0]!r} is read differently in different countries; write {' or '.join(readings) or '2026-03-01'}"
    raise AmbiguousTimeError(message)


# --- from the clocks of a zone to moments


def _day(day: datetime, found: re.Match[str], context: _Context) -> Period:
    """The day itself; or, when the phrase has a time of day, that moment."""
    groups = found.groupdict()
    if groups.get("hour") is None:
        return _between(day, day + timedelta(days=1), context.zone)
    fraction = (groups.get("fraction") or "").ljust(6, "0")
    local = day.replace(hour=int(groups["hour"]), minute=int(groups["minute"]), second=int(groups.get("second") or 0), microsecond=int(fraction))
    moment = _at(local, context.zone)
    return Period(moment, moment, assumed=True)


def _between(begin: datetime, end: datetime, zone: tzinfo) -> Period:
    # a day that begins in a gap of the clocks begins when they go on
    return Period(begin.replace(tzinfo=zone).astimezone(UTC), end.replace(tzinfo=zone).astimezone(UTC), assumed=True)


def _at(local: datetime, zone: tzinfo) -> datetime:
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    shown = f"{local:%Y-%m-%d %H:%M}"
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0) != local:
        message = f"{shown} does not exist in {zone_name(zone)}: the clocks were set forward over it"
        raise AmbiguousTimeError(message)
    message = f"{shown} happened twice in {zone_name(zone)}; write {first.isoformat()} or {second.isoformat()}"
    raise AmbiguousTimeError(message)


def _year(year: int) -> tuple[datetime, datetime]:
    return _midnight(year, 1, 1), _midnight(year + 1, 1, 1)


def _month(year: int, month: int) -> tuple[datetime, datetime]:
    return _midnight(year, month, 1), _midnight(year + month // _MONTHS_A_YEAR, month % _MONTHS_A_YEAR + 1, 1)


def _quarter(quarters: int) -> tuple[datetime, datetime]:
    """Quarters are counted from year 0."""
    return _month(quarters // 4, quarters % 4 * 3 + 1)[0], _month(quarters // 4, quarters % 4 * 3 + 3)[1]


def _midnight(year: int, month: int, day: int) -> datetime:
    """A day's beginning on the clocks of whichever zone; _between() or _at() adds it."""
    return datetime(year, month, day)  # noqa: DTZ001 - on purpose, as said


def _date(year: int, month: int, day: int) -> datetime | None:
    try:
        return _midnight(year, month, day)
    except ValueError:
        return None


_TIME_OF_DAY: Final = rf"(?: (?:at )?{_CLOCK})?(?: ?(?P<zone>z|utc|gmt|[+-]\d\d:?\d\d|[a-z]+(?:/[a-z0-9_+-]+)+))?"
_GRAMMAR: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str], _Context], Period]], ...]] = tuple(
    (re.compile(pattern, re.ASCII), read)
    for pattern, read in (
        (rf"(?P<count>\d{{1,9}}|an?) ?(?P<unit>{_UNIT})s? (?P<ago>ago)", _ago),
        (rf"(?:(?:the )?(?:last|past) )?(?P<count>\d{{1,9}}) ?(?P<unit>{_UNIT})s?", _ago),
        (r"now", _now),
        (rf"(?P<day>today|yesterday|tomorrow){_TIME_OF_DAY}", _named_day),
        (r"(?P<which>this|last|previous) (?P<unit>week|month|quarter|year)", _this_or_last),
        (rf"(?:on )?(?P<last>last )?(?P<day>{_DAY}){_TIME_OF_DAY}", _weekday),
        (rf"(?:in )?(?P<month>{_MONTH})\.?(?: (?P<year>\d{{4}}))?", _month_said),
        (rf"(?:on )?(?P<number>\d{{1,2}})(?:st|nd|rd|th|\.)? (?:of )?(?P<month>{_MONTH})\.?(?: (?P<year>\d{{4}}))?{_TIME_OF_DAY}", _day_said),
        (rf"(?:on )?(?P<month>{_MONTH})\.? (?P<number>\d{{1,2}})(?:st|nd|rd|th)?(?: (?P<year>\d{{4}}))?{_TIME_OF_DAY}", _day_said),
        (r"q(?P<quarter>[1-4])(?:[ /-](?P<year>\d{4}))?", _quarter_said),
        (r"(?P<year>\d{4})[ -]q(?P<quarter>[1-4])", _quarter_said),
        (r"(?P<year>\d{4})-?w(?P<week>\d\d)", _iso_week),
        (r"(?P<year>\d{4})", lambda found, context: _between(*_year(int(found["year"])), context.zone)),
        (r"(?P<year>\d{4})-(?P<month>\d\d)", lambda found, context: _between(*_month(int(found["year"]), int(found["month"])), context.zone)),
        (rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<number>\d\d)(?:t{_CLOCK}(?: ?(?P<zone>z|utc|[+-]\d\d:?\d\d))?)", _iso_day),
        (rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<number>\d\d){_TIME_OF_DAY}", _iso_day),
        (rf"(?:at )?{_CLOCK}(?: ?(?P<zone>z|utc|gmt|[+-]\d\d:?\d\d|[a-z]+(?:/[a-z0-9_+-]+)+))?", _clock_alone),
        (r"(?P<first>\d{1,2})[/. -](?P<second>\d{1,2})[/. -](?P<year>\d{4}|\d{2})", _by_figures),
    )
)
"""Phrases, the first that matches counts; what each names."""
