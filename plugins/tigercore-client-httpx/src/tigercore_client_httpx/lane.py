"""Connections to gateways. Here, and only here, the HTTP library's exceptions become errors of the port."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self, cast, final

import attrs
import trio

from tigercore.errors import ClientError, NotProcessed, OutcomeUnknown
from tigercore_client_httpx._httpx import httpx
from tigercore_client_httpx.replies import LIMIT
from tigercore_client_httpx.surplus import end, surplus

__all__ = ["HttpReply", "HttpRequest", "Lane", "Unshown"]

_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
_RAISED = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)


@final
class Unshown(dict[str, Any]):
    """Fields that hold secrets. They never show what they hold, not even to a traceback that prints locals."""

    def __repr__(self) -> str:
        """Return how many there are."""
        return f"<{len(self)} fields>"


@final
@attrs.frozen(repr=False)
class HttpRequest:
    """A request to send. It never shows what it holds, not even to a traceback that prints locals."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    verb: str = "POST"


@final
@attrs.frozen(repr=False)
class HttpReply:
    """A reply that was read whole, within the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@final
class Lane:
    """Send each request once over one pool: no retry, no redirect, no cookie, no proxy, nothing from the environment.

    It works on the transport below the library's client, because that has none of these to switch off.
    A limiter stands in front of the pool, so that the pool itself never queues. `idle` is how long a connection is
    kept, in seconds. At 0 each request has one of its own: on a kept one the gateway may hang up just while a request
    is written to it, or may have sent a reply too many, which would answer the next request.
    """

    def __init__(self, context: ssl.SSLContext, connections: int, idle: float) -> None:
        self._kept = idle > 0
        kept = connections if self._kept else 0
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=kept, keepalive_expiry=idle)
        self._transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits, retries=0)
        self._limiter = trio.CapacityLimiter(connections)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._transport.__aexit__(*exc_info)

    async def post(self, method: str, sent: HttpRequest, seconds: float) -> HttpReply:
        """Send the request once; `seconds` cover all of it, the wait for a connection too.

        :raises NotProcessed: nothing was sent.
        :raises OutcomeUnknown: something was, and no whole reply came back.
        """
        left = False

        async def trace(event: str, info: Mapping[str, Any]) -> None:
            nonlocal left
            left = left or event == "http11.send_request_headers.started"

        with trio.move_on_after(seconds):
            async with self._limiter:
                # A handshake that runs out of time is closed by the library; one that is cancelled is left to the
                # garbage collector. So the handshake gets less time than the whole.
                extensions = {"trace": trace, "timeout": {"connect": seconds / 2}}
                return await self._exchange(method, sent, extensions)
        if left:
            raise OutcomeUnknown(method, f"no reply within {seconds:g} s")
        raise NotProcessed(method, f"no connection within {seconds:g} s; nothing was sent")

    async def _exchange(self, method: str, sent: HttpRequest, extensions: Mapping[str, Any]) -> HttpReply:
        try:
            response = await self._transport.handle_async_request(self._request(sent, extensions))
            try:
                return await self._whole(method, response)
            finally:
                await response.aclose()
        except _RAISED as error:
            verdict = _verdict(method, error)
        raise verdict  # out here, because the library's error knows the request with its headers

    def _request(self, sent: HttpRequest, extensions: Mapping[str, Any]) -> httpx.Request:
        headers = sent.headers if self._kept else {**sent.headers, "Connection": "close"}
        request = httpx.Request(sent.verb, sent.url, headers=headers, content=sent.body, extensions=dict(extensions))
        request.stream = _Once(sent.body)
        return request

    async def _whole(self, method: str, response: httpx.Response) -> HttpReply:
        reply = HttpReply(response.status_code, response.headers, await _read(method, response))
        if len(reply.body) > LIMIT:
            raise OutcomeUnknown(method, f"the reply is larger than {LIMIT} bytes")
        if self._kept:
            more = surplus(response)
            if more is not False:
                end(response)
            if more:
                raise OutcomeUnknown(method, "more came back than one reply, so none of it can be trusted")
        return reply


@final
class _Once(httpx.AsyncByteStream):
    """A body that can be read once only: whatever the library does, it has nothing to send a second time."""

    def __init__(self, body: bytes) -> None:
        self._left = [body]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


async def _read(method: str, response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise OutcomeUnknown(method, "the reply is compressed, which was not asked for")
    body = bytearray()
    with trio.CancelScope() as scope:  # leaving the loop would leave the library's generators open
        stream = cast(httpx.AsyncByteStream, response.stream)  # aiter_raw would let go of the connection at its end
        async for chunk in stream:
            body += chunk
            if len(body) > LIMIT:
                scope.cancel()
    return bytes(body)


def _verdict(method: str, error: Exception) -> ClientError:
    kind = NotProcessed if isinstance(error, _NEVER_LEFT) else OutcomeUnknown
    return kind(method, f"no reply: {type(error).__name__}")
