"""Clients that send another call, or twice. Each breaks the laws that it names, and keeps all others."""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

import attrs
import trio

from tests.laws._client_base import UNKNOWN, Client, Suite
from tigercore.errors import OutcomeUnknown
from tigercore.model import Token
from tigercore.ports import GatewayRequest, Signer
from tigercore.testing.client import Fault

# -- once --------------------------------------------------------------------------------------------------


class Retrier(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        try:
            return await self.inner.call(request, signer, token)
        except OutcomeUnknown:
            return await self.inner.call(request, signer, token)


class TestRetrier(Suite):
    driver = Retrier
    breaks = UNKNOWN | {
        "test_a_call_arrives_at_most_once_whatever_happens",
        "test_a_connection_closed_before_reading_is_no_answer",
    }


class QuietRetrier(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        try:
            return await self.inner.call(request, signer, token)
        except OutcomeUnknown:
            await self.inner.call(request, signer, token)
            raise


class TestQuietRetrier(Suite):
    driver = QuietRetrier
    breaks = frozenset(
        {
            "test_a_call_arrives_at_most_once_whatever_happens",
            "test_a_connection_closed_before_reading_is_no_answer",
            "test_a_redirect_is_unknown_and_not_followed",
            "test_a_gateway_that_hangs_is_unknown_when_the_timeout_is_over",
            "test_a_surplus_reply_never_answers_the_next_call",
        }
    )


class Desynchronised(Client):
    """As a pool does that keeps a connection on which more than one reply came."""

    surplus: Any = None

    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        twice, before = self.inner.gateway.upcoming() is Fault.TWICE, self.surplus
        self.surplus = {"id": 1} if twice else None
        if twice:
            with suppress(OutcomeUnknown):
                await self.inner.call(request, signer, token)
            return before or {"id": 1}
        data = await self.inner.call(request, signer, token)
        return before or data


class TestDesynchronised(Suite):
    driver, breaks = Desynchronised, frozenset({"test_a_surplus_reply_never_answers_the_next_call"})


class Shielded(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        with trio.CancelScope(shield=True):
            return await self.inner.call(request, signer, token)


class TestShielded(Suite):
    driver = Shielded
    breaks = frozenset({"test_a_cancelled_call_ends_promptly", "test_a_cancelled_call_sends_nothing_more"})


class LastWord(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        try:
            return await self.inner.call(request, signer, token)
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await self.inner.call(request, signer, token)
            raise


class TestLastWord(Suite):
    driver, breaks = LastWord, frozenset({"test_a_cancelled_call_sends_nothing_more"})


# -- what is sent ------------------------------------------------------------------------------------------


class OtherRequest(Client):
    def changed(self, request: GatewayRequest) -> GatewayRequest:
        return request

    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        return await self.inner.call(self.changed(request), signer, token)


class WrongAccount(OtherRequest):
    def changed(self, request: GatewayRequest) -> GatewayRequest:
        return attrs.evolve(request, account="99999999")


class TestWrongAccount(Suite):
    driver = WrongAccount
    breaks = frozenset(
        {
            "test_a_request_carries_method_account_and_parameters",
            "test_a_call_without_a_key_bears_the_access_token_and_names_no_developer",
        }
    )


class AccountEverywhere(OtherRequest):
    def changed(self, request: GatewayRequest) -> GatewayRequest:
        return attrs.evolve(request, operation=attrs.evolve(request.operation, binds_account=True))


class TestAccountEverywhere(Suite):
    driver, breaks = AccountEverywhere, frozenset({"test_an_operation_that_binds_no_account_names_none"})


class OtherParameters(OtherRequest):
    def change(self, value: Any) -> Any:
        return value

    def changed(self, request: GatewayRequest) -> GatewayRequest:
        params: Mapping[str, Any] = {name: self.change(value) for name, value in request.params.items()}
        return attrs.evolve(request, params=params)


class NullsAreSent(OtherParameters):
    def change(self, value: Any) -> Any:
        return "null" if value is None else value


class TestNullsAreSent(Suite):
    driver, breaks = NullsAreSent, frozenset({"test_parameters_that_are_none_are_left_out"})


class DecimalsAsText(OtherParameters):
    def change(self, value: Any) -> Any:
        return str(value) if isinstance(value, Decimal) else value


class TestDecimalsAsText(Suite):
    driver = DecimalsAsText
    breaks = frozenset(
        {
            "test_a_decimal_travels_as_the_same_number",
            "test_a_parameter_without_a_form_in_json_is_rejected_and_nothing_is_sent",
        }
    )


KNOWN = (str, int, float, Decimal, list, tuple, dict, type(None))


class WritesWhatItCannot(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        params = {name: value if isinstance(value, KNOWN) else str(value) for name, value in request.params.items()}
        numbers = {name: 0 for name, value in params.items() if value != value or str(value) == "Infinity"}
        return await self.inner.call(attrs.evolve(request, params={**params, **numbers}), signer, token)


class TestWritesWhatItCannot(Suite):
    driver = WritesWhatItCannot
    breaks = frozenset({"test_a_parameter_without_a_form_in_json_is_rejected_and_nothing_is_sent"})


class SharedToken(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        self.token = token
        await trio.lowlevel.checkpoint()
        return await self.inner.call(request, signer, self.token)


class TestSharedToken(Suite):
    driver, breaks = SharedToken, frozenset({"test_concurrent_calls_share_no_token_and_no_developer"})


class StickyToken(Client):
    """As the vendor's SDK does: the header stays in a shared dictionary (protocol 4A.1)."""

    token: Token | None = None

    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        self.token = token or self.token
        return await self.inner.call(request, signer, self.token)


class TestStickyToken(Suite):
    driver, breaks = StickyToken, frozenset({"test_a_call_without_a_token_borrows_none"})
