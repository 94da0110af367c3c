"""A scripted gateway on a real socket: plain HTTP/1.1 on trio and the standard library."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from functools import partial
from typing import Any, final
from urllib.parse import parse_qsl

import attrs
import trio

from tigercore.model import Environment
from tigercore.ports import Endpoint, Prompt
from tigercore.testing._gateway import Answer, Arrival, Denial, Fault, GatewayScript, Move, Raw
from tigercore.testing._socket_issuer import SocketIssuer

__all__ = ["SocketGateway", "open_socket_gateway"]

_HUGE = 9 * 1024 * 1024
_EIGHT = 1767600000000  # o'clock on 5 January 2026: the gateway's own time


@final
class SocketGateway(GatewayScript):
    """Speak HTTP/1.1 on 127.0.0.1. Requests need a Content-Length; connections are kept until a fault closes them.

    `headers` and `envelopes` hold what each arrival brought, and `connections` counts, for the driver's own tests.
    `visits` are the paths that were asked for at the issuer, and `pages` is what stands there (`SocketIssuer`).
    """

    def __init__(self, port: int, dead_port: int) -> None:
        super().__init__()
        self._port, self._dead_port = port, dead_port
        self.headers: list[Mapping[str, str]] = []
        self.envelopes: list[Mapping[str, Any]] = []
        self.connections = 0
        self.visits: list[str] = []
        self._issuer = SocketIssuer(f"http://127.0.0.1:{port}")
        self.pages = self._issuer.pages

    @property
    def endpoint(self) -> Endpoint:
        """Return the sandbox endpoint of this very port."""
        return _loopback(self._port)

    @property
    def dead_endpoint(self) -> Endpoint:
        """Return a port that is held but not listened on."""
        return _loopback(self._dead_port)

    @property
    def issuer(self) -> str:
        """Return the URL of the issuer, on the same port."""
        return self._issuer.url

    async def consent(self, prompt: Prompt) -> None:
        """Come back from the browser as the next move says; with a code, the issuer's replies say it."""
        await self._issuer.consent(prompt, self.take() if prompt.user_code is None else Answer())

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection until either side ends it."""
        self.connections += 1
        async with stream:
            try:
                while not self._hangs_up() and (request := await _read(stream)):
                    move = self._asked(request) if self._issuer.serves(request.path) else self._called(request)
                    if not await _reply(stream, move):
                        return
            except trio.BrokenResourceError:
                return  # the client went away, which is its right

    def _hangs_up(self) -> bool:
        if self.upcoming() is not Fault.CLOSE_BEFORE_READING:
            return False
        self.take()
        return True

    def _called(self, request: _Request) -> _Http | Fault:
        envelope = json.loads(request.body)
        params = json.loads(envelope.get("biz_content") or "{}", parse_float=Decimal)
        token = _token(envelope, request.headers.get("authorization"))
        self.headers.append(request.headers)
        self.envelopes.append(envelope)
        self.record(Arrival(envelope["method"], params, envelope.get("tiger_id", ""), token))
        move = self.take()
        return _written(attrs.evolve(move, data=_envelope(move)) if isinstance(move, Answer) else move)

    def _asked(self, request: _Request) -> _Http | Fault:
        self.visits.append(request.path)
        page = self._issuer.page(request.path)
        if page is not None:
            return _written(page)
        self.headers.append(request.headers)
        self.record(self._issuer.arrival(request.path, dict(parse_qsl(request.body.decode()))))
        move = self.take()
        if isinstance(move, Answer) and move.data is None:
            return _written(attrs.evolve(move, data=self._issuer.grant()))
        return _written(move)


@asynccontextmanager
async def open_socket_gateway() -> AsyncIterator[SocketGateway]:
    """Listen on a free port for the time of an `async with`."""
    with _held_port() as dead:
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            gateway = SocketGateway(listeners[0].socket.getsockname()[1], dead)
            await nursery.start(partial(trio.serve_listeners, gateway.serve, listeners))
            yield gateway
            nursery.cancel_scope.cancel()


@contextmanager
def _held_port() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def _loopback(port: int) -> Endpoint:
    return Endpoint(Environment.SANDBOX, server_url=f"http://127.0.0.1:{port}/gateway")


@final
@attrs.frozen
class _Request:
    path: str
    headers: Mapping[str, str]
    body: bytes


@final
@attrs.frozen
class _Http:
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def whole(self) -> bytes:
        fields = (("Content-Type", "application/json"), ("Content-Length", str(len(self.body))), *self.headers)
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"HTTP/1.1 {self.status} Scripted\r\n{head}\r\n".encode() + self.body


async def _read(stream: trio.SocketStream) -> _Request | None:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = await stream.receive_some()
        if not chunk:
            return None
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    while len(body) < int(headers.get("content-length", 0)):
        chunk = await stream.receive_some()
        if not chunk:
            return None
        body += chunk
    return _Request(first.split()[1], headers, body)


async def _reply(stream: trio.SocketStream, move: _Http | Fault) -> bool:
    """Make the move, and say whether the connection goes on."""
    if isinstance(move, _Http):
        await stream.send_all(move.whole())
        return True
    if move is Fault.HANG:
        await trio.sleep_forever()
    answered = _Http(200, json.dumps(_envelope(Answer({"id": 1}))).encode())
    if move is Fault.TWICE:
        await stream.send_all(answered.whole() * 2)
        return True
    if move is Fault.CUT:
        await stream.send_all(answered.whole()[: -len(answered.whole()) // 8])
    if move is Fault.HUGE:
        await stream.send_all(_unending(json.dumps(_envelope(Answer("x" * _HUGE))).encode()))
    return False


def _written(move: Move) -> _Http | Fault:
    if isinstance(move, Answer):
        return _Http(move.status, json.dumps(move.data).encode(), move.headers)
    if isinstance(move, Denial):
        return _Http(400, json.dumps({"error": move.error, "error_description": move.description}).encode())
    return _Http(200, move.body) if isinstance(move, Raw) else move


def _token(envelope: Mapping[str, Any], header: str | None) -> str | None:
    """Return the token of a header: raw beside a signature, else after its scheme (protocol 4B.1)."""
    if header is None or "sign" in envelope:
        return header
    scheme, _, text = header.partition(" ")
    return text if scheme == "Bearer" else None


def _envelope(answer: Answer) -> Mapping[str, Any]:
    stamp = _EIGHT if answer.stamp is None else answer.stamp
    fields = {"code": answer.code, "message": answer.message, "data": answer.data, "timestamp": stamp}
    return fields | ({"sign": answer.sign} if answer.sign else {})


def _unending(body: bytes) -> bytes:
    return b"HTTP/1.1 200 Scripted\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + body
