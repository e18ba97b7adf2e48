"""Rates and hours, on a clock that moves only while somebody sleeps."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import UsageError
from service.fetch.pace import Pace, Pacer, parse_hours


class Clock:
    def __init__(self, start=datetime(2026, 3, 5, 12, 0)):
        self.seconds = 0.0
        self.start = start

    def sleep(self, seconds):
        self.seconds += seconds

    def now(self):
        return self.start + timedelta(seconds=self.seconds)


def pacer(pace, clock):
    return Pacer(pace, clock.sleep, lambda: clock.seconds, clock.now)


def quiet(_text):
    pass


def test_series_begin_no_faster_than_the_rate():
    clock = Clock()
    paced = pacer(Pace(series_per_minute=2), clock)
    begun = []
    for _ in range(3):
        paced.begin(quiet)
        begun.append(clock.seconds)
        clock.seconds += 5  # the transfer itself
        paced.fetched(0)
    assert begun == [0, 30, 60]


@given(sizes=st.lists(st.integers(1, 10**9), min_size=1, max_size=20))
def test_bytes_keep_their_rate_on_average(sizes):
    clock = Clock()
    paced = pacer(Pace(bytes_per_second=1e6), clock)
    for size in sizes:
        paced.begin(quiet)
        paced.fetched(size)
    paced.begin(quiet)
    assert clock.seconds == pytest.approx(sum(sizes) / 1e6)


def test_a_slow_transfer_earns_no_burst():
    clock = Clock()
    paced = pacer(Pace(series_per_minute=1), clock)
    paced.begin(quiet)
    clock.seconds += 600
    paced.fetched(0)
    paced.begin(quiet)
    paced.fetched(0)
    paced.begin(quiet)
    assert clock.seconds == 660


@pytest.mark.parametrize(
    ("at", "hours", "begins"),
    [
        ("12:00", "19:00-06:00", "19:00"),
        ("23:30", "19:00-06:00", "23:30"),
        ("05:59", "19:00-06:00", "05:59"),
        ("06:00", "19:00-06:00", "19:00"),
        ("12:00", "08:00-11:00", "08:00"),
        ("09:00", "08:00-11:00", "09:00"),
    ],
)
def test_series_begin_within_the_hours(at, hours, begins):
    clock = Clock(datetime.fromisoformat(f"2026-03-05T{at}"))
    told = []
    pacer(Pace(hours=parse_hours(hours)), clock).begin(told.append)
    assert f"{clock.now():%H:%M}" == begins
    assert told[:1] == ([] if at == begins else [f"waiting until {begins}"])


@pytest.mark.parametrize("text", ["19-6", "25:00-06:00", "19:00-19:00", "now"])
def test_hours_that_are_none_are_a_usage_error(text):
    with pytest.raises(UsageError, match="--hours"):
        parse_hours(text)
