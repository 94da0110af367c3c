"""Bytes that came after a reply: the next call on that connection must not take them for its own answer."""

from __future__ import annotations

from contextlib import suppress
from socket import SHUT_RDWR
from typing import Any

import trio

from tigercore_client_httpx._httpx import httpx

__all__ = ["end", "surplus"]


def surplus(response: httpx.Response) -> bool | None:
    """Say whether more than this reply was read from its connection; None where that cannot be told.

    It cannot where bytes wait under TLS, which may be a farewell or a reply, and where the HTTP library has changed:
    it shows its buffers to nobody, so this goes by a private path. A test tells when the path is gone.
    """
    try:
        held: Any = response.stream
        after, _ = held._httpcore_stream._stream._connection._h11_state.trailing_data
        waiting = _waiting(response.extensions["network_stream"]._stream)
    except (AttributeError, KeyError):
        return None
    if after:
        return True
    return None if waiting else False


def _waiting(wire: Any) -> bool:
    if isinstance(wire, trio.SSLStream):
        return wire._incoming.pending > 0 or wire._ssl_object.pending() > 0
    return not isinstance(wire, trio.SocketStream)  # of a stream that is neither nothing is known


def end(response: httpx.Response) -> None:
    """Shut the connection of this reply down, so that the pool drops it; closing it here would upset the pool."""
    with suppress(OSError):  # the other side was faster
        response.extensions["network_stream"].get_extra_info("socket").shutdown(SHUT_RDWR)
