"""A scripted gateway on a real socket: plain HTTP/1.1 on trio and the standard library."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from functools import partial
from typing import Any, final

import attrs
import trio

from tigercore.model import Environment
from tigercore.ports import Endpoint
from tigercore.testing._gateway import Answer, Arrival, Fault, GatewayScript, Move, Raw

__all__ = ["SocketGateway", "open_socket_gateway"]

_HUGE = 9 * 1024 * 1024


@final
class SocketGateway(GatewayScript):
    """Speak HTTP/1.1 on 127.0.0.1. Requests need a Content-Length; connections are kept until a fault closes them.

    `headers` and `envelopes` hold what each arrival brought, and `connections` counts, for the driver's own tests.
    """

    def __init__(self, port: int, dead_port: int) -> None:
        super().__init__()
        self._port, self._dead_port = port, dead_port
        self.headers: list[Mapping[str, str]] = []
        self.envelopes: list[Mapping[str, Any]] = []
        self.connections = 0

    @property
    def endpoint(self) -> Endpoint:
        """Return the sandbox endpoint of this very port."""
        return _loopback(self._port)

    @property
    def dead_endpoint(self) -> Endpoint:
        """Return a port that is held but not listened on."""
        return _loopback(self._dead_port)

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection until either side ends it."""
        self.connections += 1
        async with stream:
            try:
                while not self._hangs_up() and (request := await _read(stream)):
                    self._note(request)
                    if not await _reply(stream, self.take()):
                        return
            except trio.BrokenResourceError:
                return  # the client went away, which is its right

    def _hangs_up(self) -> bool:
        if self.upcoming() is not Fault.CLOSE_BEFORE_READING:
            return False
        self.take()
        return True

    def _note(self, request: _Request) -> None:
        envelope = json.loads(request.body)
        params = json.loads(envelope.get("biz_content") or "{}", parse_float=Decimal)
        self.headers.append(request.headers)
        self.envelopes.append(envelope)
        self.record(Arrival(envelope["method"], params, envelope["tiger_id"], request.headers.get("authorization")))


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
    headers: Mapping[str, str]
    body: bytes


async def _read(stream: trio.SocketStream) -> _Request | None:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = await stream.receive_some()
        if not chunk:
            return None
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    fields = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    headers = {name.lower(): value.strip() for name, _, value in fields}
    while len(body) < int(headers["content-length"]):
        chunk = await stream.receive_some()
        if not chunk:
            return None
        body += chunk
    return _Request(headers, body)


async def _reply(stream: trio.SocketStream, move: Move) -> bool:
    """Make the move, and say whether the connection goes on."""
    if isinstance(move, Answer):
        await stream.send_all(_http(move.status, _envelope(move), move.headers))
        return True
    if isinstance(move, Raw):
        await stream.send_all(_http(200, move.body))
        return True
    if move is Fault.HANG:
        await trio.sleep_forever()
    whole = _http(200, _envelope(Answer({"id": 1})))
    if move is Fault.TWICE:
        await stream.send_all(whole * 2)
        return True
    if move is Fault.CUT:
        await stream.send_all(whole[: -len(whole) // 8])
    if move is Fault.HUGE:
        await stream.send_all(_unending(_envelope(Answer("x" * _HUGE))))
    return False


def _envelope(answer: Answer) -> bytes:
    fields = {"code": answer.code, "message": answer.message, "data": answer.data, "timestamp": 1767600000000}
    return json.dumps(fields | ({"sign": answer.sign} if answer.sign else {})).encode()


def _http(status: int, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    fields = (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers)
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode() + body


def _unending(body: bytes) -> bytes:
    return b"HTTP/1.1 200 Scripted\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + body
