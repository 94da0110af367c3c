"""The server: HTTP/1.1 on trio, with the endings a network can have."""

import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from functools import partial

import h11
import trio
from attrs import field, frozen

from tigercore_simulator.interference import Ending, Outcome

_LARGEST = 1024 * 1024
_CHUNK = 65_536
_VERBS = frozenset({"GET", "POST", "DELETE"})
_HEADERS = {"Content-Type": "application/json;charset=UTF-8", "Cache-Control": "no-store"}
# Lingering for no time at all makes the kernel answer with a reset.
_NO_LINGER = struct.pack("ii", 1, 0)


@frozen
class Request:
    """Hold what one HTTP request asked for."""

    verb: str
    path: str
    query: str = field(repr=False)
    authorization: str = field(repr=False)
    body: bytes = field(repr=False)


Receive = Callable[[Request], Outcome]
Hold = Callable[[Callable[[], None]], None]


@frozen
class _Client:
    connection: h11.Connection
    stream: trio.SocketStream

    async def outlasts(self, wait: Callable[[], Awaitable[object]]) -> bool:
        stayed = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_when_gone, nursery.cancel_scope)
            await wait()
            stayed = True
            nursery.cancel_scope.cancel()
        return stayed

    async def _cancel_when_gone(self, scope: trio.CancelScope) -> None:
        try:
            while data := await self.stream.receive_some(_CHUNK):
                self.connection.receive_data(data)
        except trio.BrokenResourceError:
            pass
        scope.cancel()


async def _late(outcome: Outcome, client: _Client) -> Outcome | None:
    ends = trio.current_time() + outcome.delay
    stays = await client.outlasts(partial(trio.sleep_until, ends))
    # What has arrived is executed, whether or not anyone still waits for it.
    await trio.sleep_until(ends)
    reply = outcome.resume() if outcome.resume else None
    return Outcome(reply) if stays else None


class Server:
    """Speak HTTP with one client after another."""

    def __init__(self, receive: Receive, hold: Hold, clock: Callable[[], float]) -> None:
        self._receive = receive
        self._hold = hold
        self._clock = clock

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection until it ends."""
        try:
            await self._serve(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            # Closing may not wait: the connection is of no use to anyone by now.
            with trio.CancelScope(shield=True):
                await stream.aclose()

    async def _serve(self, stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_CHUNK)
        goes_on = True
        while goes_on:
            try:
                request = await _read(connection, stream)
            except h11.RemoteProtocolError as wrong:
                await self._refuse(connection, stream, wrong.error_status_hint)
                return
            if request is not None and request.verb not in _VERBS:
                return await self._refuse(connection, stream, 405)
            goes_on = request is not None and await self._answer(connection, stream, request)

    async def _answer(self, connection: h11.Connection, stream: trio.SocketStream, request: Request) -> bool:
        outcome = self._receive(request)
        try:
            settled = await self._settled(outcome, _Client(connection, stream))
        finally:
            # Not after the sending: a client that has its reply may have sent the next request by then.
            outcome.finish()
        if settled is None:
            return False
        if settled.ending is Ending.RESET:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            return False
        return await self._send(connection, stream, settled)

    async def _settled(self, outcome: Outcome, client: _Client) -> Outcome | None:
        if outcome.ending is Ending.LATE:
            return await _late(outcome, client)
        if outcome.delay and not await client.outlasts(partial(trio.sleep, outcome.delay)):
            return None
        if outcome.ending is not Ending.HANG:
            return outcome
        if outcome.resume and await client.outlasts(self._released):
            return Outcome(outcome.resume())
        return None

    async def _released(self) -> None:
        released = trio.Event()
        self._hold(released.set)
        await released.wait()

    async def _send(self, connection: h11.Connection, stream: trio.SocketStream, outcome: Outcome) -> bool:
        body = outcome.body()
        whole = self._response(connection, outcome.status, body, outcome.headers)
        if outcome.ending is Ending.CUT:
            await stream.send_all(whole[: len(whole) - len(body) + outcome.keep])
            return False
        await stream.send_all(whole * outcome.copies)
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return False
        connection.start_next_cycle()
        return True

    async def _refuse(self, connection: h11.Connection, stream: trio.SocketStream, status: int) -> None:
        if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await stream.send_all(self._response(connection, status, b"", {}))

    def _response(self, connection: h11.Connection, status: int, body: bytes, special: Mapping[str, str]) -> bytes:
        own = {"Date": formatdate(self._clock(), usegmt=True), "Content-Length": str(len(body))}
        headers = [(name.encode(), value.encode()) for name, value in (_HEADERS | own | dict(special)).items()]
        head = connection.send(h11.Response(status_code=status, headers=headers))
        data = connection.send(h11.Data(data=body))
        end = connection.send(h11.EndOfMessage())
        return (head or b"") + (data or b"") + (end or b"")


async def _read(connection: h11.Connection, stream: trio.SocketStream) -> Request | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            await _feed(connection, stream)
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _LARGEST:
                raise h11.RemoteProtocolError("the body is too large", error_status_hint=413)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _request(head, bytes(body))
        else:
            return None


async def _feed(connection: h11.Connection, stream: trio.SocketStream) -> None:
    if connection.they_are_waiting_for_100_continue:
        go_on = h11.InformationalResponse(status_code=100, headers=[])
        await stream.send_all(connection.send(go_on) or b"")
    connection.receive_data(await stream.receive_some(_CHUNK))


def _request(head: h11.Request, body: bytes) -> Request:
    authorization = next((value for name, value in head.headers if name == b"authorization"), b"")
    path, _, query = head.target.decode("latin-1").partition("?")
    return Request(head.method.decode(), path, query, authorization.decode("latin-1"), body)
