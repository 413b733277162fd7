from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_tool_audit.review.calls.clocks import in_zone, zone_name
from otel_tool_audit.review.calls.times import AmbiguousTimeError, read_time, read_zone

NOW = datetime(2026, 11, 24, 19, 40, tzinfo=UTC)  # a Tuesday
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from([UTC, BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu"), timezone(timedelta(hours=-11))])
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone


@pytest.mark.parametrize(
    ("said", "begin", "end"),
    [
        ("2 days ago", "2026-11-22T19:40", None),
        ("an hour ago", "2026-11-24T18:40", None),
        ("3 months ago", "2026-08-24T19:40", None),
        ("7d", "2026-11-17T19:40", "2026-11-24T19:40"),
        ("the last 7 days", "2026-11-17T19:40", "2026-11-24T19:40"),
        ("90m", "2026-11-24T18:10", "2026-11-24T19:40"),
        ("now", "2026-11-24T19:40", None),
        ("today", "2026-11-24", "2026-11-25"),
        ("Yesterday", "2026-11-23", "2026-11-24"),
        ("yesterday at 9:05", "2026-11-23T09:05", None),
        ("14:00", "2026-11-24T14:00", None),
        ("last week", "2026-11-16", "2026-11-23"),
        ("this month", "2026-11-01", "2026-12-01"),
        ("last month", "2026-10-01", "2026-11-01"),
        ("last quarter", "2026-07-01", "2026-10-01"),
        ("last year", "2025-01-01", "2026-01-01"),
        ("March", "2026-03-01", "2026-04-01"),
        ("December", "2025-12-01", "2026-01-01"),
        ("Mar 2025", "2025-03-01", "2025-04-01"),
        ("1 March", "2026-03-01", "2026-03-02"),
        ("March 1st, 2026", "2026-03-01", "2026-03-02"),
        ("29 February", "2024-02-29", "2024-03-01"),
        ("Dec 31", "2025-12-31", "2026-01-01"),
        ("Monday", "2026-11-23", "2026-11-24"),
        ("last Tuesday", "2026-11-17", "2026-11-18"),
        ("Q1", "2026-01-01", "2026-04-01"),
        ("2026-Q2", "2026-04-01", "2026-07-01"),
        ("2026-W10", "2026-03-02", "2026-03-09"),
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-03", "2026-03-01", "2026-04-01"),
        ("2026-03-01", "2026-03-01", "2026-03-02"),
        ("2026-03-01 09:30", "2026-03-01T09:30", None),
        ("2026-03-01T09:30:00.5Z", "2026-03-01T09:30:00.500000", None),
        ("2026-03-01T09:30+01:00", "2026-03-01T08:30", None),
        ("2026-03-01 09:30 Europe/Berlin", "2026-03-01T08:30", None),
    ],
)
def test_phrases_name_what_people_mean(said: str, begin: str, end: str | None) -> None:
    """A phrase names a period, or a moment: a period without length."""
    found = read_time(said, NOW)
    assert datetime.fromisoformat(begin).replace(tzinfo=UTC) == found.begin
    assert datetime.fromisoformat(end or begin).replace(tzinfo=UTC) == found.end


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Tuesday", "2026-11-24.*2026-11-17"),
        ("01/03/2026", "2026-03-01 or 2026-01-03"),
        ("13.03.26", "write 2026-03-13$"),
        ("yesterdy", "did you mean yesterday"),
        ("30 February", "no year has"),
        ("2026-13-01", "month must be in"),
        ("25:00", "hour must be in"),
        ("5000 years ago", "calendar"),
        ("9999", "calendar"),
        ("", "no time that is understood"),
        ("2026-03-01 Europe/Berln", "nearest: Europe/Berlin"),
    ],
)
def test_what_has_no_or_several_readings_is_refused(said: str, told: str) -> None:
    """An answer about the wrong day is worse than none; the message says what would be understood."""
    with pytest.raises(AmbiguousTimeError, match=told):
        read_time(said, NOW)


@pytest.mark.parametrize(
    ("said", "assumed"),
    [("2026-03-01", True), ("March", True), ("yesterday", True), ("7d", False), ("now", False), ("2026-03-01T09:30Z", False), ("today UTC", False)],
)
def test_whether_a_zone_was_assumed_is_known(said: str, assumed: bool) -> None:
    """A time that depends on a zone which nobody named says so."""
    assert assumed == read_time(said, NOW).assumed


def test_a_time_that_the_clocks_showed_twice_or_never_is_refused() -> None:
    """Where the clocks were set, the offset has to be named."""
    with pytest.raises(AmbiguousTimeError, match=r"02:30:00\+02:00 or 2026-10-25T02:30:00\+01:00"):
        read_time("2026-10-25 02:30", NOW, BERLIN)
    with pytest.raises(AmbiguousTimeError, match="does not exist"):
        read_time("2026-03-29 02:30", NOW, BERLIN)


def test_a_day_on_which_clocks_change_is_as_long_as_it_was() -> None:
    """Days and months are those of the zone, of 23 or 25 hours where that is so."""
    spring, autumn = (read_time(day, NOW, BERLIN) for day in ("2026-03-29", "2026-10-25"))
    assert (timedelta(hours=23), timedelta(hours=25)) == (spring.end - spring.begin, autumn.end - autumn.begin)


@settings(deadline=None)
@given(text=st.text(max_size=40) | st.from_regex(r"(last |this )?[a-z0-9]{1,8}[ /.:-]?[a-z0-9]{0,6}( ago)?", fullmatch=True), now=MOMENTS, zone=ZONES)
def test_any_text_is_a_period_or_refused(text: str, now: datetime, zone: timezone) -> None:
    """No text makes anything else than a period in UTC, or one clear refusal."""
    try:
        found = read_time(text, now, zone)
    except AmbiguousTimeError:
        return
    assert found.begin <= found.end
    assert timedelta(0) == found.begin.utcoffset() == found.end.utcoffset()


@settings(deadline=None)
@given(moment=MOMENTS, now=MOMENTS, zone=ZONES)
def test_what_iso_8601_writes_is_read_back(moment: datetime, now: datetime, zone: timezone) -> None:
    """A moment written with its offset is that moment, whatever now and the zone are."""
    assert moment == read_time(moment.astimezone(zone).isoformat(timespec="microseconds")[:32], now, zone).begin


@settings(deadline=None)
@given(now=MOMENTS, zone=ZONES)
def test_last_periods_end_where_this_one_begins(now: datetime, zone: timezone) -> None:
    """Yesterday, last week, month, quarter and year touch today's, and hold no moment of it."""
    for unit in ("week", "month", "quarter", "year"):
        assert read_time(f"last {unit}", now, zone).end == read_time(f"this {unit}", now, zone).begin <= now
    assert read_time("yesterday", now, zone).end == read_time("today", now, zone).begin <= now


@settings(deadline=None)
@given(now=MOMENTS, zone=ZONES, month=st.sampled_from(["January", "Feb", "July", "december"]))
def test_a_month_without_a_year_is_the_last_that_has_begun(now: datetime, zone: timezone, month: str) -> None:
    """It never lies in the future, and never more than a year back."""
    assert timedelta(0) <= now - read_time(month, now, zone).begin < timedelta(days=367)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "+05:30", "-11:00"])
def test_a_zone_is_named_as_it_is_read(name: str) -> None:
    """What is shown as a zone can be given as one."""
    assert name == zone_name(read_zone(name))
    assert "Europe/Berlin" == zone_name(read_zone("europe/berlin"))


@pytest.mark.parametrize("name", ["Berlin", "Amerca/New_York", "../../etc/passwd", "", "Mars/Olympus"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    """What is no zone gets the nearest ones, or how to write one."""
    with pytest.raises(AmbiguousTimeError, match=r"nearest: |write UTC"):
        read_zone(name)


def test_timestamps_are_shown_on_the_clocks_of_the_zone() -> None:
    """A record's time is converted; what is none is shown as it is."""
    assert "2026-03-01 13:00:00" == in_zone("2026-03-01T12:00:00.000000Z", BERLIN)
    assert "soon" == in_zone("soon", BERLIN)
