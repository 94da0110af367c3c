"""Row group 4: signed requests a second of many accounts, next to requests that need no signing, and to the SDK."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, final

import attrs
import httpx2
import trio

from benchmarks import sdk
from benchmarks.bare_server import open_bare_server
from benchmarks.gateway import open_gateway
from benchmarks.measure import Row, Scale
from tigercore.clock import SystemClock
from tigercore.model import Credentials, Environment, Token
from tigercore.operations import operation
from tigercore.ports import Endpoint, GatewayRequest, Signer
from tigercore.properties import read_properties
from tigercore.testing.clock import driver_context
from tigercore_client_httpx import HttpxClient, HttpxOptions
from tigercore_client_httpx.envelope import seal
from tigercore_client_httpx.signing import RsaSigner

ACCOUNTS, TASKS = 50, 20
_REQUEST = GatewayRequest(operation("market_state"), {"market": "US"})
_SHARE, _TIMES = 0.5, 10.0


@final
@attrs.frozen
class _Account:
    url: str
    signer: Signer
    token: Token | None


async def rows(scale: Scale) -> AsyncIterator[Row]:
    """Let twenty tasks go round fifty accounts; every sort of client meets the same server, in turns.

    The simulator checks every signature and is slower than the clients: the bare server shows what they can do.
    """
    with TemporaryDirectory() as place, open_gateway(Path(place), ACCOUNTS) as folders, open_bare_server() as url:
        yield await _beside_unsigned(folders, None, "simulator", scale)
        row = await _beside_unsigned(folders, url, "bare server", scale)
        yield row
        if importlib.util.find_spec("tigeropen") is not None:
            slow = await trio.to_thread.run_sync(sdk.rate, folders, url, TASKS, _seconds(scale) * 2)
            yield _row("bare server", row.measured, slow, "SDK, 20 threads", _TIMES, "≥ 10 × SDK")


async def _beside_unsigned(folders: list[Path], url: str | None, server: str, scale: Scale) -> Row:
    context = driver_context(SystemClock())
    async with HttpxClient.open(HttpxOptions(), context) as client, _plain_client() as plain:
        accounts = [_account(client, folder, url) for folder in folders]
        least, took = await _rates([_unsigned(plain, accounts), _signed(client, accounts)], scale)
    return _row(server, took, least, "httpx2, signed beforehand", _SHARE, "≥ 0.5 × unsigned")


def _row(server: str, took: float, least: float, against: str, target: float, text: str) -> Row:
    what = f"HttpxClient, {ACCOUNTS} accounts, {server}"
    return Row("calls", what, "/s", took, least, against, took / least, target, text, at_least=True)


def _plain_client() -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=TASKS, max_keepalive_connections=TASKS)
    return httpx2.AsyncClient(limits=limits, trust_env=False)


def _account(client: HttpxClient, folder: Path, url: str | None) -> _Account:
    held = read_properties(folder)
    server_url = url or held.server_url or ""
    endpoint = Endpoint(Environment.SANDBOX, held.license, server_url)
    signer = client.signer(Credentials(held.tiger_id, held.private_key), endpoint)
    return _Account(server_url, signer, Token.parse(held.token.reveal()) if held.token else None)


def _signed(client: HttpxClient, accounts: list[_Account]) -> Callable[[], Awaitable[Any]]:
    turn = cycle(accounts)

    async def send() -> None:
        account = next(turn)
        await client.call(_REQUEST, account.signer, account.token)

    return send


def _unsigned(client: httpx2.AsyncClient, accounts: list[_Account]) -> Callable[[], Awaitable[Any]]:
    """Post bodies that were sealed once: the server does the same work, and the client has nothing to sign."""
    turn = cycle([(each.url, *_sealed(each)) for each in accounts])

    async def send() -> None:
        url, body, headers = next(turn)
        reply = await client.post(url, content=body, headers=headers)
        if reply.json()["code"] != 0:
            raise RuntimeError(f"the simulator refused a body that was sealed beforehand: {reply.text}")

    return send


def _sealed(account: _Account) -> tuple[bytes, dict[str, str]]:
    if not isinstance(account.signer, RsaSigner):
        raise TypeError("the client's signer is another one by now: change this file")
    body = seal(_REQUEST, account.signer, account.token, SystemClock().now(), "00:00:00:00:00:00").body
    headers = {"Content-Type": "application/json;charset=UTF-8", "Accept-Encoding": "identity"}
    return body, headers | ({"Authorization": account.token.value.reveal()} if account.token else {})


async def _rates(senders: list[Callable[[], Awaitable[Any]]], scale: Scale) -> tuple[float, float]:
    seconds = _seconds(scale)
    for send in senders:
        await _rate(send, seconds)  # connections, and caches on both sides
    rounds = [[await _rate(send, seconds) for send in senders] for _ in range(scale.rounds)]
    first, second = zip(*rounds, strict=True)
    return median(first), median(second)


async def _rate(send: Callable[[], Awaitable[Any]], seconds: float) -> float:
    began, done = time.perf_counter(), 0

    async def go_on() -> None:
        nonlocal done
        while time.perf_counter() < began + seconds:
            await send()
            done += 1

    async with trio.open_nursery() as nursery:
        for _ in range(TASKS):
            nursery.start_soon(go_on)
    return done / (time.perf_counter() - began)


def _seconds(scale: Scale) -> float:
    return scale.seconds * 6
