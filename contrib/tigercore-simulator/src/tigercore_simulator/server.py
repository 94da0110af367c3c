"""The server: HTTP/1.1 on trio, with the endings a network can have."""

import socket
import struct
from collections.abc import Awaitable, Callable

import h11
import trio
from attrs import frozen

from tigercore_simulator.interference import Ending, Outcome

_LARGEST = 1024 * 1024
_CHUNK = 65_536
_VERBS = frozenset({"GET", "POST", "DELETE"})
_JSON = (b"Content-Type", b"application/json;charset=UTF-8")
# Lingering for no time at all makes the kernel answer with a reset.
_NO_LINGER = struct.pack("ii", 1, 0)


@frozen
class Request:
    """Hold what one HTTP request asked for."""

    verb: str
    path: str
    authorization: str
    body: bytes


Receive = Callable[[Request], Outcome]
Hold = Callable[[Callable[[], None]], None]


class Server:
    """Speak HTTP with one client after another."""

    def __init__(self, receive: Receive, hold: Hold) -> None:
        self._receive = receive
        self._hold = hold

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
                await _refuse(connection, stream, wrong.error_status_hint)
                return
            if request is not None and request.verb not in _VERBS:
                return await _refuse(connection, stream, 405)
            goes_on = request is not None and await self._answer(connection, stream, request)

    async def _answer(self, connection: h11.Connection, stream: trio.SocketStream, request: Request) -> bool:
        outcome = await self._settled(self._receive(request), stream)
        if outcome is None:
            return False
        if outcome.ending is Ending.RESET:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            return False
        return await _send(connection, stream, outcome)

    async def _settled(self, outcome: Outcome, stream: trio.SocketStream) -> Outcome | None:
        if outcome.delay:
            await trio.sleep(outcome.delay)
        if outcome.ending is not Ending.HANG:
            return outcome
        if await self._hang(stream) and outcome.resume:
            return Outcome(outcome.resume())
        return None

    async def _hang(self, stream: trio.SocketStream) -> bool:
        released = trio.Event()
        self._hold(released.set)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_after, released.wait, nursery.cancel_scope)
            nursery.start_soon(_cancel_after, _Gone(stream).wait, nursery.cancel_scope)
        return released.is_set()


@frozen
class _Gone:
    stream: trio.SocketStream

    async def wait(self) -> None:
        # A client that waits has nothing more to say, so whatever comes is discarded.
        try:
            while await self.stream.receive_some(_CHUNK):
                pass
        except trio.BrokenResourceError:
            pass


async def _cancel_after(wait: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
    await wait()
    scope.cancel()


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
    path = head.target.partition(b"?")[0]
    return Request(head.method.decode(), path.decode("latin-1"), authorization.decode("latin-1"), body)


async def _send(connection: h11.Connection, stream: trio.SocketStream, outcome: Outcome) -> bool:
    body = outcome.body()
    whole = _response(connection, outcome.status, body)
    if outcome.ending is Ending.CUT:
        await stream.send_all(whole[: len(whole) - len(body) + outcome.keep])
        return False
    await stream.send_all(whole * outcome.copies)
    if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
        return False
    connection.start_next_cycle()
    return True


async def _refuse(connection: h11.Connection, stream: trio.SocketStream, status: int) -> None:
    if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
        await stream.send_all(_response(connection, status, b""))


def _response(connection: h11.Connection, status: int, body: bytes) -> bytes:
    length = (b"Content-Length", str(len(body)).encode())
    head = connection.send(h11.Response(status_code=status, headers=[_JSON, length]))
    data = connection.send(h11.Data(data=body))
    end = connection.send(h11.EndOfMessage())
    return (head or b"") + (data or b"") + (end or b"")
