"""The simulator: everything put together and listening."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

import trio
from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric import rsa

from tigercore_simulator import portal
from tigercore_simulator.admin import PREFIX, Admin
from tigercore_simulator.broker import NATURAL, Pace
from tigercore_simulator.developers import Developer, Identity, Register, Signer, enroll, invent, make_key
from tigercore_simulator.faults import Faults
from tigercore_simulator.gateway import Gateway
from tigercore_simulator.grants import USUAL, Terms
from tigercore_simulator.interference import Outcome
from tigercore_simulator.issuer import PREFIX as ISSUER
from tigercore_simulator.issuer import Issuer
from tigercore_simulator.limits import DOCUMENTED, Limits
from tigercore_simulator.methods import furnish
from tigercore_simulator.oracle import Oracle
from tigercore_simulator.server import Request, Server
from tigercore_simulator.tokens import LICENSE, Tokens

LICENSES = ("TBSG", LICENSE, "TBNZ")
_HOST = "127.0.0.1"
_MONTH = 30 * 86_400.0


@frozen
class Settings:
    """Say what to simulate; the same settings simulate the same market, ids and developers."""

    developers: int
    seed: int
    clock: Callable[[], float]
    licenses: Sequence[str]
    limits: Limits
    pace: Pace
    token_lifetime: float
    token_grace: float
    token_lenient: bool
    terms: Terms
    sign_replies: bool
    key_bits: int


@frozen
class Simulator:
    """Hold a running simulator."""

    url: str
    admin: str
    developers: tuple[Developer, ...]
    faults: Faults
    oracle: Oracle
    tokens: Tokens
    issuer: Issuer
    clock: Callable[[], float]
    signer: Signer | None = field(repr=False)

    @property
    def public_key_pem(self) -> str:
        """Return the public key replies are signed with, in PEM form; empty when they are not signed."""
        return self.signer.public_pem if self.signer else ""

    @property
    def public_key(self) -> str:
        """Return the public key replies are signed with, in bare base64; empty when they are not signed."""
        return self.signer.public_base64 if self.signer else ""

    def token(self, developer: Developer) -> str:
        """Return the token that is good now, empty for a developer without one."""
        return self.tokens.current(developer.tiger_id)

    def rotate_token(self, developer: Developer) -> str:
        """Rotate a token as another process would, and return the new one."""
        return self.tokens.rotate(developer.tiger_id, self.clock()).text

    def revoke(self, developer: Developer) -> None:
        """End every OAuth 2.0 grant of a developer, as they would in the portal."""
        self.issuer.grants.revoke_all(developer.tiger_id)

    def write(self, directory: Path | str, kind: str = "paper") -> dict[str, tuple[Path, ...]]:
        """Write the portal's files of every developer, and return the directories by tiger_id."""
        return {
            each.tiger_id: portal.write(Path(directory), each, self.token(each), self.url, kind)
            for each in self.developers
        }


@asynccontextmanager
async def open_simulator(
    *,
    developers: int = 3,
    seed: int = 0,
    clock: Callable[[], float] = time.time,
    licenses: Sequence[str] = LICENSES,
    limits: Limits = DOCUMENTED,
    pace: Pace = NATURAL,
    token_lifetime: float = _MONTH,
    token_grace: float = 0.0,
    token_lenient: bool = False,
    terms: Terms = USUAL,
    clock_offset: float = 0.0,
    sign_replies: bool = False,
    key_bits: int = 1024,
    port: int = 0,
) -> AsyncIterator[Simulator]:
    """Serve a simulator on a local port for as long as the block runs.

    The gateway's clock is ahead of ``clock`` by ``clock_offset`` seconds.
    """
    settings = Settings(
        developers,
        seed,
        lambda: clock() + clock_offset,
        licenses,
        limits,
        pace,
        token_lifetime,
        token_grace,
        token_lenient,
        terms,
        sign_replies,
        key_bits,
    )
    listeners = await trio.open_tcp_listeners(port, host=_HOST)
    simulator, server = await _build(settings, listeners[0].socket.getsockname()[1])
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(trio.serve_listeners, server.serve, listeners))
            yield simulator
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # What the block raises leaves it as it was, so that callers can catch it by its own type.
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from group.exceptions[0].__cause__


async def _build(settings: Settings, port: int) -> tuple[Simulator, Server]:
    identities = invent(settings.developers, settings.licenses, Random(f"{settings.seed}:developers"))
    keys = await _make_keys(len(identities) + 1, settings.key_bits)
    oracle, faults = Oracle(), Faults(Random(f"{settings.seed}:faults"))
    tokens = _tokens(settings)
    signer = Signer(keys.pop()) if settings.sign_replies else None
    now = settings.clock()
    people = tuple(_enrolled(*pair, tokens, now) for pair in zip(identities, keys, strict=False))
    rooms = furnish(settings.seed, settings.limits, settings.pace, tokens, oracle)
    base = f"http://{_HOST}:{port}"
    issuer = _issuer(settings, base, people, oracle, faults)
    gateway = Gateway(
        Register(people), rooms, issuer.grants, settings.clock, oracle=oracle, faults=faults, signer=signer
    )
    receive = partial(_route, gateway, issuer, Admin(faults, oracle, issuer))
    clock, urls = settings.clock, (f"{base}/gateway", f"{base}/admin")
    simulator = Simulator(*urls, people, faults, oracle, tokens, issuer, clock, signer)
    return simulator, Server(receive, faults.hold, clock)


def _route(gateway: Gateway, issuer: Issuer, admin: Admin, request: Request) -> Outcome:
    if request.path.startswith(PREFIX):
        return admin.receive(request.verb, request.path, request.body)
    if request.path.startswith(f"{ISSUER}/"):
        return issuer.receive(request)
    return gateway.receive(request.body, request.authorization)


def _tokens(settings: Settings) -> Tokens:
    random = Random(f"{settings.seed}:tokens")
    return Tokens(random, settings.token_lifetime, settings.token_grace, lenient=settings.token_lenient)


def _issuer(settings: Settings, base: str, people: tuple[Developer, ...], oracle: Oracle, faults: Faults) -> Issuer:
    tiger_ids = tuple(each.tiger_id for each in people)
    random = Random(f"{settings.seed}:issuer")
    return Issuer(base, tiger_ids, settings.terms, random, settings.clock, oracle=oracle, faults=faults)


def _enrolled(identity: Identity, key: rsa.RSAPrivateKey, tokens: Tokens, now: float) -> Developer:
    token = tokens.rotate(identity.tiger_id, now).text if identity.license == LICENSE else ""
    return enroll(identity, key, token)


async def _make_keys(count: int, bits: int) -> list[rsa.RSAPrivateKey]:
    keys: list[rsa.RSAPrivateKey] = []

    async def make() -> None:
        keys.append(await trio.to_thread.run_sync(make_key, bits))

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(make)
    return keys
