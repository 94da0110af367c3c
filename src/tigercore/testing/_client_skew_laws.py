"""The laws of the client port on the gateway's clock."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from tigercore.errors import ClientError
from tigercore.ports import GatewayRequest, Signer, TigerClient
from tigercore.testing._client_suite import READ, ClientSuite
from tigercore.testing._gateway import Answer, GatewayScript

_NO_MOMENTS: tuple[Any, ...] = (0, -1, 1, True, 1767600000.5, "1767600000000", [], {}, 10**30, -(10**12))


class ClientSkewLaws(ClientSuite):
    """How far the gateway's clock is ahead is known from what its replies are stamped with."""

    async def test_before_the_first_reply_nothing_is_known_of_the_gateways_clock(self, client: TigerClient) -> None:
        assert client.skew is None

    async def test_a_stamp_tells_by_how_much_the_gateways_clock_is_ahead(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        await _stamped(client, gateway, signer, _moment(client, -7200))
        assert pytest.approx(-7200, abs=2) == client.skew

    async def test_a_refusal_tells_the_gateways_time_too(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        await _stamped(client, gateway, signer, _moment(client, 900), code=1200)
        assert pytest.approx(900, abs=2) == client.skew

    async def test_the_median_of_the_last_five_stamps_counts(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        told = []
        for ahead in (9000, 9000, 9000, 9000, 100, 300, 5000, 200, -9000):
            await _stamped(client, gateway, signer, _moment(client, ahead))
            told.append(client.skew)
        assert pytest.approx([9000, 9000, 9000, 9000, 9000, 9000, 5000, 300, 200], abs=2) == told

    async def test_what_is_no_moment_of_our_time_tells_nothing(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        await _stamped(client, gateway, signer, _moment(client, 60))
        for stamp in _NO_MOMENTS:
            await _stamped(client, gateway, signer, stamp)
        assert pytest.approx(60, abs=2) == client.skew


def _moment(client: TigerClient, ahead: float) -> int:
    return round((client.context.clock.now().timestamp() + ahead) * 1000)


async def _stamped(client: TigerClient, gateway: GatewayScript, signer: Signer, stamp: Any, code: int = 0) -> None:
    gateway.then(Answer(code=code, message="refused", stamp=stamp))
    with suppress(ClientError):
        await client.call(GatewayRequest(READ, {}, "12345678"), signer, None)
