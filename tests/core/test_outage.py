"""Whether the gateway is down: several developers without an answer, and then one try after the other."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore._outage import Outage
from tigercore.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def outage(clock: ManualClock) -> Outage:
    return Outage(clock, random.Random(1))


def fall_silent(outage: Outage, developers: int) -> None:
    for number in range(developers):
        outage.silent(f"developer {number}")


@pytest.mark.parametrize(("expected", "developers"), [(False, 0), (False, 2), (True, 3), (True, 50)])
def test_three_developers_without_an_answer_are_an_outage(outage: Outage, expected: bool, developers: int) -> None:
    fall_silent(outage, developers)
    assert expected is outage.is_on


def test_one_developer_without_answers_is_none(outage: Outage) -> None:
    for _ in range(50):
        outage.silent("developer")
    assert (False, 0.0) == (outage.is_on, outage.wait())


def test_one_answer_ends_it(outage: Outage) -> None:
    fall_silent(outage, 50)
    outage.answered()
    assert (False, 0.0) == (outage.is_on, outage.wait())


def test_after_an_answer_it_takes_three_again(outage: Outage) -> None:
    fall_silent(outage, 50)
    outage.answered()
    fall_silent(outage, 2)
    assert not outage.is_on


def test_the_next_try_is_due_once_its_time_has_passed(clock: ManualClock, outage: Outage) -> None:
    fall_silent(outage, 3)
    wait = outage.wait()
    clock.advance(wait - 0.1)
    assert pytest.approx(0.1) == outage.wait()
    clock.advance(0.1)
    assert pytest.approx(0.0) == outage.wait()


@given(st.integers(0, 2000), st.integers())
def test_each_try_waits_longer_up_to_five_minutes(tries: int, seed: int) -> None:
    outage = Outage(ManualClock(), random.Random(seed))
    fall_silent(outage, 3 + tries)
    most = min(5.0 * 2 ** min(tries, 10), 300.0)
    assert most / 2 <= outage.wait() <= most


def test_a_step_of_the_wall_clock_moves_no_try(clock: ManualClock, outage: Outage) -> None:
    fall_silent(outage, 3)
    wait = outage.wait()
    clock.step(3600.0)
    assert wait == outage.wait()
