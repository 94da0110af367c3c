"""S6: a thousand tokens end within the same hour, and the gateway is down for two before that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trio
from trio.testing import MockClock

from tests.conftest import World, given
from tigercore import ClientError, NotProcessed, OutcomeUnknown, Settings, TokenState
from tigercore.clock import Clock
from tigercore.settings import TokenSettings
from tigercore.testing._gateway import token_text

_COUNT, _HOURS = 1_000, 3.0
_START = datetime(2026, 1, 5, 2, tzinfo=UTC)


class SimulatedClock(Clock):
    """Show the time that trio simulates."""

    def now(self) -> datetime:
        return _START + timedelta(seconds=trio.current_time())

    def monotonic(self) -> float:
        return trio.current_time()


@pytest.mark.parametrize(
    "error",
    [
        NotProcessed("user_token_refresh", "the connection is refused"),
        OutcomeUnknown("user_token_refresh", "no reply"),
    ],
    ids=["refused", "silent"],
)
async def test_no_token_ends_while_the_gateway_is_down_for_two_hours(
    autojump_clock: MockClock, error: ClientError
) -> None:
    world = World(clock=SimulatedClock(), settings=Settings(tokens=TokenSettings(parallel=8)))  # type: ignore[arg-type]
    async with world.open() as tiger:
        born = world.clock.now() - timedelta(hours=_HOURS)
        token = token_text(born, timedelta(hours=2 * _HOURS))
        for number in range(_COUNT):
            await tiger.accounts.create_account(**given(license="TBHK", token=token, tiger_id=str(20_000_000 + number)))
        world.client.fail(None, "user_token_refresh", error, times=10**9)
        if isinstance(error, OutcomeUnknown):
            world.client.fail(None, "accounts", error, times=10**9)
        await tiger.tokens.start_background_refresh_scheduler()
        await trio.sleep(2 * 3600)
        asked = len(world.client.calls)
        world.client._failures.clear()
        await trio.sleep((_HOURS - 2) * 3600 - 60)
        rows = await world.store.token_rows()
        assert {TokenState.VALID} == {row.state for row in rows}
        assert _COUNT == sum(row.issued_at is not None and row.issued_at >= _START for row in rows)
        assert asked < 200  # one prober, not a thousand
