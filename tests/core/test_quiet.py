"""The minutes around a market's opening and close, in which no token is refreshed that can wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore._quiet import after_quiet
from tigercore.model import License

licenses = st.none() | st.sampled_from(License)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


def at(hour: int, minute: int, day: int = 5) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expected", "moment"),
    [
        (at(13, 19), at(13, 19)),  # New York opens at 13:30 in summer
        (at(13, 40), at(13, 20)),
        (at(13, 40), at(13, 39)),
        (at(13, 40), at(13, 40)),
        (at(14, 40), at(14, 30)),  # in winter
        (at(12, 0), at(12, 0)),
    ],
)
def test_a_moment_near_an_opening_is_put_off_to_after_it(expected: datetime, moment: datetime) -> None:
    assert expected == after_quiet(License.TBUS, moment)


def test_midnight_is_no_border() -> None:
    assert at(0, 10, day=6) == after_quiet(License.TBAU, at(23, 55))


def test_each_license_has_markets_of_its_own() -> None:
    assert at(1, 30) == after_quiet(License.TBUS, at(1, 30))
    assert at(1, 40) == after_quiet(License.TBHK, at(1, 30))


@given(licenses, moments)
def test_what_was_put_off_is_in_no_quiet_time(license: License | None, moment: datetime) -> None:
    put_off = after_quiet(license, moment)
    assert put_off == after_quiet(license, put_off)


@given(licenses, moments)
def test_nothing_is_brought_forward_nor_put_off_for_long(license: License | None, moment: datetime) -> None:
    assert timedelta(0) <= after_quiet(license, moment) - moment <= timedelta(hours=1)
