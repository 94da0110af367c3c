"""Connections to gateways. Here, and only here, the HTTP library's exceptions become errors of the port."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self, final

import attrs
import trio

from tigercore.errors import ClientError, NotProcessed, OutcomeUnknown
from tigercore_client_httpx._httpx import httpx
from tigercore_client_httpx.replies import LIMIT

__all__ = ["HttpReply", "HttpRequest", "Lane"]

_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


@final
@attrs.frozen(repr=False)
class HttpRequest:
    """A request to send. It never shows what it holds, not even to a traceback that prints locals."""

    url: str
    headers: Mapping[str, str]
    body: bytes


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
    kept, in seconds: an old one may be closed by the gateway just while a request is written to it.
    """

    def __init__(self, context: ssl.SSLContext, connections: int, idle: float) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=idle)
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
                request = httpx.Request(
                    "POST", sent.url, headers=sent.headers, content=sent.body, extensions=extensions
                )
                request.stream = _Once(sent.body)
                return await self._exchange(method, request)
        if left:
            raise OutcomeUnknown(method, f"no reply within {seconds:g} s")
        raise NotProcessed(method, f"no connection within {seconds:g} s; nothing was sent")

    async def _exchange(self, method: str, request: httpx.Request) -> HttpReply:
        try:
            response = await self._transport.handle_async_request(request)
            try:
                body = await _read(method, response)
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise _verdict(method, error) from None  # the library's error holds the request with its headers
        return HttpReply(response.status_code, response.headers, body)


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
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > LIMIT:
                scope.cancel()
    if len(body) > LIMIT:
        raise OutcomeUnknown(method, f"the reply is larger than {LIMIT} bytes")
    return bytes(body)


def _verdict(method: str, error: httpx.TransportError) -> ClientError:
    kind = NotProcessed if isinstance(error, _NEVER_LEFT) else OutcomeUnknown
    return kind(method, f"no reply: {type(error).__name__}")
