"""The device flow on a bad line: what is asked again, how much later, and what the person is told at the end."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from tigercore.errors import ClientError, OutcomeUnknown, Rejected
from tigercore.model import Grant
from tigercore.ports import Authorization
from tigercore.testing.client import Answer, Denial, Fault, Move, Raw, SocketGateway
from tigercore_client_httpx import HttpxClient

METADATA = "/.well-known/oauth-authorization-server"
PENDING, SLOWER, RESET = Denial("authorization_pending"), Denial("slow_down"), Fault.CLOSE_AFTER_READING


def busy(rest: str = "", status: int = 503) -> Answer:
    """Return the reply of an issuer that has no time now, and perhaps says when it will have."""
    return Answer({}, status=status, headers=(("Retry-After", rest),) if rest else ())


@pytest.fixture
def quick() -> MockClock:
    """Let the time of waiting pass at once; what is on its way over a socket is waited for."""
    return MockClock(autojump_threshold=0.1)


def tells(gateway: SocketGateway, page: str, **changes: Any) -> None:
    """Let a page of the issuer hold this too."""
    stands = gateway.pages[page]
    assert isinstance(stands, Answer)
    gateway.pages[page] = attrs.evolve(stands, data=stands.data | changes)


async def asked(client: HttpxClient, gateway: SocketGateway) -> str:
    """Ask for a grant with a code, and return its access token."""
    wanted = Authorization(gateway.endpoint, gateway.issuer, "client-1", device=True)
    return Grant.of(await client.authorize(wanted, lambda _: None)).access_token.reveal()


async def times(client: HttpxClient, gateway: SocketGateway) -> list[float]:
    """Return after how many seconds each question came, until the grant or an error did."""
    noted: list[float] = []
    async with trio.open_nursery() as nursery:

        async def note() -> None:
            begun = trio.current_time()
            while True:
                await gateway.arrived(len(noted) + 1)
                noted.append(trio.current_time() - begun)

        nursery.start_soon(note)
        with suppress(ClientError):
            await asked(client, gateway)
        nursery.cancel_scope.cancel()
    return noted


# -- what is asked again ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "move",
    [
        RESET,
        Fault.CUT,
        Fault.HANG,
        busy(),
        busy(status=500),
        busy(status=429),
        Answer({"error": "authorization_pending"}, status=503),
        Answer({"error": "invalid_grant"}, status=502),
        Answer({"error": "too_many_requests"}, status=429),
    ],
)
async def test_a_poll_without_an_answer_does_not_end_the_login(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock, move: Move
) -> None:
    gateway.then(PENDING, move)
    assert "access-1" == await asked(client, gateway)


@pytest.mark.parametrize("error", ["access_denied", "expired_token", "invalid_grant", "invalid_client"])
async def test_a_refusal_ends_the_login_under_429_too(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock, error: str
) -> None:
    gateway.then(Answer({"error": error}, status=429))
    with pytest.raises(Rejected, match=error):
        await asked(client, gateway)
    assert 1 == len(gateway.arrivals)


@pytest.mark.parametrize(
    "move",
    [
        Answer({"error": "authorization_pending"}),
        Answer({}, status=302, headers=(("Location", "/oauth2/token"),)),
        Answer({}, status=404),
        Raw(b"<html>"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_unknown_and_not_asked_for_again(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock, move: Move
) -> None:
    gateway.then(move)
    with pytest.raises(OutcomeUnknown):
        await asked(client, gateway)
    assert 1 == len(gateway.arrivals)


@pytest.mark.parametrize("move", [RESET, busy(), busy(status=429)])
async def test_a_code_is_asked_for_once_whatever_comes(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock, move: Move
) -> None:
    del gateway.pages["/device"]
    gateway.then(move)
    with pytest.raises(ClientError):
        await asked(client, gateway)
    assert 1 == len(gateway.arrivals)


# -- how much later --------------------------------------------------------------------------------------------


async def test_each_poll_without_an_answer_doubles_the_interval(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    gateway.then(RESET, busy())
    assert [5, 15, 35] == await times(client, gateway)


async def test_an_interval_that_was_doubled_stays_so(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    gateway.then(RESET, PENDING, SLOWER)
    assert [5, 15, 25, 40] == await times(client, gateway)


async def test_the_interval_begins_when_the_answer_is_given_up(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    gateway.then(Fault.HANG)
    assert [5, 5 + client.options.timeout + 10] == await times(client, gateway)


async def test_an_issuer_that_asks_for_a_longer_rest_has_it_once(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    gateway.then(busy("40"), PENDING)
    assert [5, 45, 55] == await times(client, gateway)


@pytest.mark.parametrize("rest", ["3", "0", "-40", "4e1", "soon", "595", "3600", "9" * 12])
async def test_a_rest_that_is_too_short_or_cannot_be_had_within_the_life_of_the_code_is_not_kept_to(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock, rest: str
) -> None:
    gateway.then(busy(rest, status=429))
    assert [5, 15] == await times(client, gateway)


# -- what the person is told -----------------------------------------------------------------------------------


async def test_a_code_that_expires_on_an_issuer_that_is_down_names_the_last_failure(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    gateway.then(RESET, *[busy()] * 9)
    told = "the code has expired after 10 minutes, and the last poll brought no answer: HTTP 503; start the login anew"
    with pytest.raises(OutcomeUnknown, match=told):
        await asked(client, gateway)


async def test_a_code_that_expires_on_an_issuer_that_cannot_be_reached_names_the_failure(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    dead = gateway.dead_endpoint.server_url or ""
    tells(gateway, METADATA, token_endpoint=dead.replace("/gateway", "/oauth2/token"))
    with pytest.raises(OutcomeUnknown, match="no answer: no reply: ConnectError; start the login anew"):
        await asked(client, gateway)


async def test_a_code_that_expires_while_the_answer_is_awaited_says_so(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    tells(gateway, "/device", expires_in=12)
    gateway.then(Fault.HANG)
    with pytest.raises(OutcomeUnknown, match="no answer: the code expired first; start the login anew"):
        await asked(client, gateway)


async def test_a_failure_before_the_issuer_said_pending_again_is_not_named(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    gateway.then(RESET, *[PENDING] * 99)
    with pytest.raises(Rejected, match="nobody consented within 10 minutes"):
        await asked(client, gateway)


@pytest.mark.parametrize("error", ["invalid_grant", "expired_token"])
async def test_a_code_that_is_spent_after_an_answer_was_lost_says_that_the_login_must_be_started_anew(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock, error: str
) -> None:
    gateway.then(RESET, Denial(error, "no such code"))
    told = f"{error}: no such code; a poll before brought no answer, and perhaps lost the grant: start the login anew"
    with pytest.raises(Rejected, match=told):
        await asked(client, gateway)


@pytest.mark.parametrize("moves", [(RESET, PENDING, Denial("invalid_grant")), (RESET, Denial("access_denied"))])
async def test_a_refusal_that_no_lost_answer_explains_is_told_as_it_is(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock, moves: tuple[Move, ...]
) -> None:
    gateway.then(*moves)
    with pytest.raises(Rejected, match=r"oauth2_poll: (invalid_grant|access_denied)$"):
        await asked(client, gateway)


async def test_an_error_after_a_lost_answer_does_not_show_the_device_code(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    gateway.then(RESET, Denial("invalid_grant", "device-1 is unknown"))
    with pytest.raises(Rejected, match="start the login anew") as caught:
        await asked(client, gateway)
    assert "device-1" not in str(caught.value)
