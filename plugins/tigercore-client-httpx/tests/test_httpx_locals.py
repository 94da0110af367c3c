"""A report that prints the locals of each frame shows no token, code or verifier, whatever went wrong."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from trio.testing import MockClock

from tigercore.errors import ClientError
from tigercore.model import Credentials, Grant, Secret, Token
from tigercore.operations import operation
from tigercore.ports import Authorization, GatewayRequest, Signer
from tigercore.testing.client import Answer, Denial, Fault, Move, Raw, SocketGateway, a_token, token_text
from tigercore.testing.clock import driver_context
from tigercore_client_httpx import HttpxClient, HttpxOptions

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
READ = GatewayRequest(operation("positions"), {})
MARK = "unmistakable"
SENT = f"{MARK}-refresh code-1 device-1"  # whichever of them it was
ECHO = {"error": "no", "error_description": f"you sent {SENT}", "access_token": f"{MARK}-new"}
MOVES: tuple[Move, ...] = (
    Fault.CLOSE_AFTER_READING,
    Fault.CUT,
    Fault.HANG,
    Denial("invalid_grant", SENT),
    Denial(SENT),
    *(Answer(ECHO, status=status) for status in (302, 400, 401, 429, 500)),
    Answer([MARK], status=500),
    Raw(f'"{MARK}'.encode()),
    Raw(f'{{"access_token":"{MARK}"'.encode()),
    Raw(f'{{"refresh_token":"{MARK}"}}'.encode() + b" " * 8 * 1024 * 1024),
)
GIVEN: tuple[Move, ...] = tuple(
    Answer({"access_token": f"{MARK}-1", "refresh_token": f"{MARK}-2"} | changes)
    for changes in (
        {"access_token": f"{MARK} in two"},
        {"refresh_token": f"{MARK}\nfeed"},
        {"refresh_token": [MARK]},
        {"expires_in": "soon"},
        {"scope": "x" * 65_536},
    )
)


def shown(error: BaseException) -> str:
    """Return what such a report shows of the frames below the test's own."""
    if isinstance(error, BaseExceptionGroup):
        [error] = error.exceptions
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in told.stack if frame.filename != __file__]
    assert {"self"} <= {name for frame in frames for name in frame.locals or {}}
    assert (None, None) == (told.__cause__, told.__context__)
    return "\n".join(f"{frame.filename} {frame.name} {frame.locals}" for frame in frames) + str(error)


@pytest.fixture
def quick() -> MockClock:
    return MockClock(autojump_threshold=0.1)


@pytest.fixture
def grant(gateway: SocketGateway) -> Token:
    access, again = Secret(f"{MARK}-access"), Secret(f"{MARK}-refresh")
    return Grant(gateway.issuer, "client-1", access, again, "", NOON - timedelta(hours=1), NOON).token()


@pytest.fixture
def bearer(client: HttpxClient, gateway: SocketGateway) -> Signer:
    return client.signer(Credentials(Secret("client-1"), None), gateway.endpoint)


@pytest.mark.parametrize("move", [*MOVES, *GIVEN])
async def test_a_renewal_that_fails_shows_no_token(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, grant: Token, quick: MockClock, move: Move
) -> None:
    gateway.then(move)
    with pytest.raises(ClientError) as caught:
        await client.refresh(bearer, grant)
    assert MARK not in shown(caught.value)


@pytest.mark.parametrize("move", [move for move in MOVES if not isinstance(move, Raw)])
async def test_a_revocation_that_fails_shows_no_token(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, grant: Token, quick: MockClock, move: Move
) -> None:
    gateway.then(move)
    with pytest.raises(ClientError) as caught:
        await client.revoke(bearer, grant)
    assert MARK not in shown(caught.value)


@pytest.mark.parametrize("move", [*MOVES, *GIVEN])
@pytest.mark.parametrize("device", [False, True])
async def test_a_login_that_fails_shows_neither_token_nor_code_nor_verifier(
    client: HttpxClient, gateway: SocketGateway, quick: MockClock, move: Move, device: bool
) -> None:
    gateway.then(*([move] * 9 if device else [Answer(), move]))  # a poll without an answer is not the last one
    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            wanted = Authorization(gateway.endpoint, gateway.issuer, None, device)
            await client.authorize(wanted, lambda prompt: nursery.start_soon(gateway.consent, prompt))
    arrival = gateway.arrivals[0]
    own = "device-1" if device else "code-1"
    secrets = [own, f"{MARK}-new", f"{MARK}-1", f"{MARK}-2", f"{MARK} ", str(arrival.params.get("code_verifier", own))]
    text = shown(caught.value)
    assert [] == [secret for secret in secrets if secret in text]


@pytest.mark.parametrize("changes", [{"device_code": f"{MARK}\n"}, {"user_code": "\n"}, {"verification_uri": 7}])
async def test_a_device_reply_that_cannot_be_used_does_not_show_its_code(
    client: HttpxClient, gateway: SocketGateway, changes: dict[str, Any]
) -> None:
    told: dict[str, Any] = {"device_code": MARK, "user_code": "WDJB-MJHT", "verification_uri": "https://example.com"}
    gateway.pages["/device"] = Answer(told | changes)
    wanted = Authorization(gateway.endpoint, gateway.issuer, None, device=True)
    with pytest.raises(ClientError) as caught:
        await client.authorize(wanted, print)
    assert MARK not in shown(caught.value)


async def test_a_tbhk_refresh_that_brings_no_newer_token_shows_neither(
    client: HttpxClient, gateway: SocketGateway, signer: Signer
) -> None:
    old = a_token().value.reveal()
    gateway.then(Answer({"token": old}))
    with pytest.raises(ClientError) as caught:
        await client.refresh(signer, a_token())
    assert old not in shown(caught.value)


async def test_a_tbhk_refresh_that_is_not_signed_does_not_show_the_new_token(
    gateway: SocketGateway, credentials: Credentials, key: RSAPrivateKey
) -> None:
    fresh = token_text(NOON)
    gateway.then(Answer({"token": fresh}))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    async with HttpxClient.open(HttpxOptions(gateway_public_key=public), driver_context()) as client:
        with pytest.raises(ClientError) as caught:
            await client.refresh(client.signer(credentials, gateway.endpoint), a_token())
    assert fresh not in shown(caught.value)


@pytest.mark.parametrize("code", [5, 1200, 2400, 9999])
async def test_a_refusal_that_repeats_the_token_does_not_show_it(
    client: HttpxClient, gateway: SocketGateway, signer: Signer, code: int
) -> None:
    token = a_token().value.reveal()
    gateway.then(Answer({"token": token}, code=code, message=f"user token error({token})"))
    with pytest.raises(ClientError) as caught:
        await client.call(READ, signer, a_token())
    assert token not in shown(caught.value)


async def test_a_token_that_is_no_header_text_is_not_shown(
    client: HttpxClient, signer: Signer, bearer: Signer, grant: Token
) -> None:
    for one, token in ((signer, Token(Secret(f"{MARK} in two"))), (bearer, Token(Secret(f"{MARK} no grant")))):
        with pytest.raises(ClientError) as caught:
            await client.call(READ, one, token)
        assert MARK not in shown(caught.value)
