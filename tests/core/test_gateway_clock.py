"""The gateway's time: known once it has answered, trusted to judge while it is near, and told of when it is not."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from tigercore._gatewayclock import GatewayClock
from tigercore.model import Credentials, Environment, Secret
from tigercore.ports import Endpoint
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing.clock import ManualClock, driver_context

_STAMPS = 5  # of as many replies the client takes the median


class Gateway:
    """A gateway whose clock is so many seconds ahead, and how it is seen from a machine."""

    def __init__(self) -> None:
        self.machine = ManualClock()
        self.client = ScriptedTigerClient(context=driver_context(self.machine))
        self.clock = GatewayClock(self.machine, self.client)

    async def answer(self, ahead: float) -> None:
        """Let the gateway answer until it is believed to be ahead by so much."""
        self.client.ahead = ahead
        credentials = Credentials(Secret("20160001"), Secret("KEY"))
        signer = self.client.signer(credentials, Endpoint(Environment.SANDBOX))
        for _ in range(_STAMPS):
            await self.client.probe(signer, None)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


def test_before_the_gateway_has_answered_its_time_is_the_machines(gateway: Gateway) -> None:
    assert gateway.machine.now() == gateway.clock.now()


@pytest.mark.parametrize("ahead", [0.0, 90.5, -90.5])
async def test_its_time_is_the_one_that_its_replies_bear(gateway: Gateway, ahead: float) -> None:
    await gateway.answer(ahead)
    gateway.machine.advance(10)
    assert gateway.machine.now() + timedelta(seconds=ahead) == gateway.clock.now()


@pytest.mark.parametrize("step", [3600.0, -3600.0])
async def test_setting_the_machines_clock_moves_it_not(gateway: Gateway, step: float) -> None:
    await gateway.answer(0.0)
    before = gateway.clock.now()
    gateway.machine.step(step)
    assert before == gateway.clock.now()


def test_who_has_heard_nothing_of_the_gateway_may_not_judge(gateway: Gateway) -> None:
    assert not gateway.clock.may_judge


@pytest.mark.parametrize(
    ("expected", "ahead"), [(True, 0.0), (True, 300.0), (True, -300.0), (False, 300.5), (False, -300.5)]
)
async def test_who_is_five_minutes_off_may_not_judge(gateway: Gateway, expected: bool, ahead: float) -> None:
    await gateway.answer(ahead)
    assert expected is gateway.clock.may_judge


async def test_who_was_put_right_may_judge_again(gateway: Gateway) -> None:
    await gateway.answer(3600.0)
    gateway.machine.step(3600.0)
    assert gateway.clock.may_judge


# -- what a person is told -------------------------------------------------------------------------------------


async def told(gateway: Gateway, caplog: pytest.LogCaptureFixture, *skews: float) -> list[str]:
    """Return what the log says while the clocks differ by so much, one after the other."""
    caplog.set_level(logging.WARNING, "tigercore.tokens")
    for ahead in skews:
        await gateway.answer(ahead)
        gateway.clock.warn()
    return caplog.messages


def warning(seconds: int, way: str = "behind") -> str:
    return f"this machine's clock is {seconds} s {way} the gateway's: set it (NTP)"


def test_nothing_is_told_before_the_gateway_has_answered(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    gateway.clock.warn()
    assert [] == caplog.messages


@pytest.mark.parametrize(
    ("expected", "ahead"),
    [([], 60.0), ([], -60.0), ([warning(61)], 61.0), ([warning(61, "ahead of")], -61.0)],
)
async def test_a_difference_of_more_than_a_minute_is_told(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, expected: list[str], ahead: float
) -> None:
    assert expected == await told(gateway, caplog, ahead)


async def test_it_is_told_again_once_it_has_changed_by_more_than_a_minute(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    assert [warning(100), warning(161)] == await told(gateway, caplog, 100, 160, 161, 101)


async def test_it_is_told_again_if_it_was_right_in_between(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    assert [warning(100), warning(100)] == await told(gateway, caplog, 100, 0, 100)
