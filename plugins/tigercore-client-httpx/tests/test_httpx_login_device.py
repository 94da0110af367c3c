"""The device flow: how often the issuer is asked, for how long, and what ends it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from tigercore.errors import ClientError, OutcomeUnknown, Rejected
from tigercore.model import Grant
from tigercore.ports import Authorization, Prompt
from tigercore.testing.client import Answer, Denial, SocketGateway
from tigercore_client_httpx import HttpxClient

METADATA = "/.well-known/oauth-authorization-server"
PENDING, SLOWER = Denial("authorization_pending"), Denial("slow_down")
NO_WORDS = (None, "", 7, [], "line\nfeed", "bell\x07", "\u202eturned", "x" * 4097)


@pytest.fixture
def quick() -> MockClock:
    """Let the time of waiting pass at once; what is on its way over a socket is waited for."""
    return MockClock(autojump_threshold=0.1)


def tells(gateway: SocketGateway, page: str, **changes: Any) -> None:
    """Let a page of the issuer hold this too."""
    stands = gateway.pages[page]
    assert isinstance(stands, Answer)
    gateway.pages[page] = attrs.evolve(stands, data=stands.data | changes)


async def asked(client: HttpxClient, gateway: SocketGateway, prompts: list[Prompt] | None = None) -> Grant:
    """Ask for a grant with a code, and note what is shown."""
    shown = [] if prompts is None else prompts
    wanted = Authorization(gateway.endpoint, gateway.issuer, "client-1", device=True)
    return Grant.of(await client.authorize(wanted, shown.append))


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


# -- how often -------------------------------------------------------------------------------------------------


async def test_an_issuer_that_names_no_interval_is_asked_every_five_seconds(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    gateway.then(PENDING, PENDING)
    assert [5, 10, 15] == await times(client, gateway)


async def test_an_issuer_is_asked_as_often_as_it_says(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    tells(gateway, "/device", interval=7)
    gateway.then(PENDING, PENDING)
    assert [7, 14, 21] == await times(client, gateway)


async def test_an_issuer_that_says_slow_down_is_left_five_seconds_more_each_time(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    gateway.then(SLOWER, PENDING, SLOWER)
    assert [5, 15, 25, 40] == await times(client, gateway)


@pytest.mark.parametrize(
    ("interval", "seconds"), [(0, 1), (-3, 1), (True, 5), ("7", 5), (2.5, 5), (None, 5), ([], 5), (599, 599)]
)
async def test_an_interval_that_cannot_be_is_not_kept_to(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock, interval: Any, seconds: int
) -> None:
    tells(gateway, "/device", interval=interval)
    assert [seconds] == await times(client, gateway)


# -- how long --------------------------------------------------------------------------------------------------


async def test_a_code_that_has_expired_is_not_asked_for_again(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    tells(gateway, "/device", expires_in=12)
    gateway.then(*[PENDING] * 10)
    assert [5, 10] == await times(client, gateway)


async def test_who_never_answers_is_waited_for_until_the_code_expires(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    tells(gateway, "/device", expires_in=120, interval=50)
    gateway.then(*[PENDING] * 3)
    begun = trio.current_time()
    with pytest.raises(Rejected, match="nobody consented within 2 minutes"):
        await asked(client, gateway)
    assert 120 == trio.current_time() - begun


async def test_an_interval_beyond_the_life_of_the_code_ends_with_the_code(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    tells(gateway, "/device", interval=10**9)
    begun = trio.current_time()
    with pytest.raises(Rejected):
        await asked(client, gateway)
    assert (600, []) == (trio.current_time() - begun, gateway.arrivals)


@pytest.mark.parametrize(
    ("told", "seconds"), [(10**9, 1800.0), (0, 1.0), (-1, 1.0), (True, 600.0), ("60", 600.0), (60.5, 600.0)]
)
async def test_a_life_of_the_code_that_cannot_be_is_not_kept_to(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock, told: Any, seconds: float
) -> None:
    tells(gateway, "/device", expires_in=told, interval=1800)
    prompts: list[Prompt] = []
    with pytest.raises(Rejected):
        await asked(client, gateway, prompts)
    assert [seconds] == [prompt.expires_in for prompt in prompts]


# -- what ends it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["access_denied", "expired_token", "invalid_grant", "invalid_client"])
async def test_an_issuer_that_denies_is_rejected_and_not_asked_again(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock, error: str
) -> None:
    gateway.then(PENDING, Denial(error, "not today"))
    with pytest.raises(Rejected, match=f"{error}: not today"):
        await asked(client, gateway)
    assert 2 == len(gateway.arrivals)


async def test_pending_is_a_refusal_for_who_holds_no_code(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    gateway.pages["/device"] = PENDING
    with pytest.raises(Rejected, match="oauth2_device: authorization_pending"):
        await asked(client, gateway)


# -- what is sent and shown ------------------------------------------------------------------------------------


async def test_the_issuer_is_asked_for_all_its_scopes_and_then_with_the_code(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    page = gateway.pages.pop("/device")
    gateway.then(page)
    await asked(client, gateway)
    expected: list[Mapping[str, Any]] = [
        {"client_id": "client-1", "scope": "api.account:read api.trade:read"},
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": "device-1",
            "client_id": "client-1",
        },
    ]
    assert expected == [arrival.params for arrival in gateway.arrivals]


async def test_the_person_is_shown_the_page_and_the_code_and_not_what_only_we_may_know(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock
) -> None:
    prompts: list[Prompt] = []
    await asked(client, gateway, prompts)
    assert [Prompt(f"{gateway.issuer}/verify", "WDJB-MJHT", 600.0)] == prompts


@pytest.mark.parametrize("value", NO_WORDS)
@pytest.mark.parametrize("name", ["device_code", "user_code", "verification_uri"])
async def test_a_code_that_cannot_be_shown_is_unknown_and_the_person_is_shown_nothing(
    client: HttpxClient, gateway: SocketGateway, name: str, value: Any
) -> None:
    tells(gateway, "/device", **{name: value})
    prompts: list[Prompt] = []
    with pytest.raises(OutcomeUnknown, match=f"the reply holds no {name}"):
        await asked(client, gateway, prompts)
    assert [] == prompts


async def test_an_issuer_without_a_device_flow_is_refused(client: HttpxClient, gateway: SocketGateway) -> None:
    tells(gateway, METADATA, device_authorization_endpoint=None)
    with pytest.raises(Rejected, match="no device flow"):
        await asked(client, gateway)
