"""What the frames of an error reach: the token and the key may be in none of it, however deep one looks."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio

from tests.integration.frames import held
from tests.integration.hunt import found
from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_vault import VaultCipher, VaultOptions
from tigercore_envelope import Root

_KEY, _TOKEN = os.urandom(32), secrets.token_hex(16)
_SECRETS: dict[str, str | bytes] = {"token": _TOKEN, "key": _KEY}


# -- a server that has one answer --------------------------------------------------------------------------


async def _serve(answer: bytes | None, stream: trio.SocketStream) -> None:
    request = b""
    with suppress(trio.BrokenResourceError):  # the client has had enough
        while not request.endswith(b"}"):
            request += await stream.receive_some()
        await (stream.receive_some() if answer is None else stream.send_all(answer))
    await trio.aclose_forcefully(stream)


def _http(status: int, body: bytes | dict[str, Any], *headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


async def _wrap(root: Root) -> bytes:
    return await root.wrap(_KEY, {"kek": "1"})


async def _unwrap(root: Root) -> bytes:
    return await root.unwrap(b"vault:v1:" + base64.b64encode(bytes(60)), {"kek": "1"})


async def _leaks(ask: Callable[[Root], Awaitable[bytes]], options: VaultOptions) -> list[tuple[str, str]]:
    async with VaultCipher.open_root(options) as root:
        with pytest.raises(KeyUnavailable) as caught:
            await ask(root)
    return found(_SECRETS, held(caught.value, but=__file__))


_TEXT = base64.b64encode(_KEY).decode()
_ECHO = {"errors": [_TOKEN, _TEXT], "data": {"ciphertext": [_TEXT, _TOKEN], "plaintext": [_TEXT, _TOKEN]}}
_each_request = pytest.mark.parametrize("ask", [_wrap, _unwrap])


@_each_request
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="hangs up"),
        pytest.param(None, id="says nothing"),
        pytest.param(_http(200, b"x" * 100)[:-1], id="stops in the middle"),
        pytest.param(_http(200, b"x" * 100_000), id="says too much"),
        pytest.param(_http(200, b"x", "Content-Encoding: gzip"), id="compresses"),
        *(pytest.param(_http(status, _ECHO), id=f"echoes with {status}") for status in (200, 302, 400, 403, 418, 503)),
        pytest.param(_http(200, {"data": {"ciphertext": _TEXT, "plaintext": f"{_TEXT}!"}}), id="echoes the key"),
    ],
)
async def test_no_frame_leads_to_the_token_or_the_key_when_vault(
    ask: Callable[[Root], Awaitable[bytes]], answer: bytes | None, nursery: trio.Nursery
) -> None:
    (listener,) = await nursery.start(partial(trio.serve_tcp, partial(_serve, answer), 0, host="127.0.0.1"))
    address = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    timeout = 0.2 if answer is None else 10.0
    assert [] == await _leaks(ask, VaultOptions(address=address, key="k", token=Secret(_TOKEN), timeout=timeout))


@_each_request
async def test_no_frame_leads_to_the_token_or_the_key_when_nobody_listens(
    ask: Callable[[Root], Awaitable[bytes]], closed_port: int
) -> None:
    options = VaultOptions(address=f"http://127.0.0.1:{closed_port}", key="k", token=Secret(_TOKEN))
    assert [] == await _leaks(ask, options)
