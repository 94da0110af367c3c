"""The store's time as this process counts it: never ahead, never moved by the clock on the wall."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore._storeclock import StoreClock
from tigercore.testing.clock import ManualClock

THERE = datetime(2026, 3, 1, tzinfo=UTC)  # the store's clock; the machine's stands elsewhere
HOLD = 45.0
delays = st.floats(0, 30)


@pytest.fixture
def machine() -> ManualClock:
    return ManualClock()


@pytest.fixture
def clock(machine: ManualClock) -> StoreClock:
    return StoreClock(machine, HOLD)


def test_before_the_store_has_said_anything_it_is_the_machines(machine: ManualClock, clock: StoreClock) -> None:
    assert machine.now() == clock.now()


def test_it_goes_on_from_what_the_store_has_said(machine: ManualClock, clock: StoreClock) -> None:
    clock.seen(THERE, machine.monotonic())
    machine.advance(10)
    assert THERE + timedelta(seconds=10) == clock.now()


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_setting_the_machines_clock_moves_it_not(machine: ManualClock, clock: StoreClock, step: float) -> None:
    clock.seen(THERE, machine.monotonic())
    machine.step(step)
    assert THERE == clock.now()


def test_a_step_backward_counts_at_once(machine: ManualClock, clock: StoreClock) -> None:
    clock.seen(THERE, machine.monotonic())
    clock.seen(THERE - timedelta(hours=1), machine.monotonic())
    assert THERE - timedelta(hours=1) == clock.now()


def test_a_step_forward_counts_once_nothing_can_be_in_hand_any_more(machine: ManualClock, clock: StoreClock) -> None:
    clock.seen(THERE, machine.monotonic())
    clock.seen(THERE + timedelta(hours=1), machine.monotonic())
    machine.advance(HOLD - 1)
    assert THERE + timedelta(seconds=HOLD - 1) == clock.now()
    machine.advance(1)
    assert THERE + timedelta(hours=1, seconds=HOLD) == clock.now()


def test_a_step_forward_that_was_taken_back_never_counts(machine: ManualClock, clock: StoreClock) -> None:
    clock.seen(THERE, machine.monotonic())
    clock.seen(THERE + timedelta(hours=1), machine.monotonic())
    clock.seen(THERE, machine.monotonic())
    machine.advance(2 * HOLD)
    assert THERE + timedelta(seconds=2 * HOLD) == clock.now()


@given(st.lists(st.tuples(delays, delays, delays), min_size=1, max_size=20))
def test_it_is_never_ahead_of_a_store_that_does_not_step(answers: list[tuple[float, float, float]]) -> None:
    machine = ManualClock()
    clock, began = StoreClock(machine, HOLD), machine.monotonic()
    for pause, out, back in answers:
        machine.advance(pause)
        asked_at = machine.monotonic()
        machine.advance(out)
        said = THERE + timedelta(seconds=machine.monotonic() - began)
        machine.advance(back)
        clock.seen(said, asked_at)
        right = THERE + timedelta(seconds=machine.monotonic() - began)
        assert -timedelta(seconds=61) <= clock.now() - right <= timedelta(microseconds=1)


def test_a_machine_whose_clock_is_wrong_is_told_once(
    machine: ManualClock, clock: StoreClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        clock.seen(machine.now() + timedelta(hours=1), machine.monotonic())
        machine.advance(1)
    [told] = [record.getMessage() for record in caplog.records]
    assert "this machine's clock is 3600 s behind the store's: set it (NTP)" == told
    assert pytest.approx(3600) == clock.difference


def test_a_store_whose_clock_was_set_is_told_of(
    machine: ManualClock, clock: StoreClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "tigercore.tokens")
    clock.seen(machine.now(), machine.monotonic())
    clock.seen(machine.now() - timedelta(hours=1), machine.monotonic())
    assert any("stepped backward by 3600 s" in record.getMessage() for record in caplog.records)
