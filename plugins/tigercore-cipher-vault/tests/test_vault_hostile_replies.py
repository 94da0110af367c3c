"""A root on a server that answers as no Vault would."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import attrs
import pytest
import trio

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_vault import VaultCipher, VaultOptions
from tigercore_envelope import RootUnreachable

_KEY = os.urandom(32)
_TOKEN = "s.hostile0token0echo"
_WRAPPED = b"vault:v1:" + base64.b64encode(bytes(60))
_CONTEXT = {"kek": "1"}


class RawServer:
    """Answer each connection with the same bytes, and keep what was asked. `held` keeps connections open after them."""

    def __init__(self) -> None:
        self.answer = b""
        self.held = False
        self.asked: list[bytes] = []

    async def __call__(self, stream: trio.SocketStream) -> None:
        self.asked.append(await _whole_request(stream))
        with suppress(trio.BrokenResourceError):  # the client has had enough
            await stream.send_all(self.answer)
            if self.held:
                await stream.receive_some()
        await trio.aclose_forcefully(stream)


async def _whole_request(stream: trio.SocketStream) -> bytes:
    """Read all of it: to close on unread bytes would reset the connection, and lose the answer."""
    request = b""
    async for chunk in stream:
        request += chunk
        head, end, body = request.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and len(body) >= int(length[1] if length else 0):
            break
    return request


@pytest.fixture
def server() -> RawServer:
    return RawServer()


@pytest.fixture
async def options(server: RawServer, nursery: trio.Nursery) -> VaultOptions:
    (listener,) = await nursery.start(partial(trio.serve_tcp, server, 0, host="127.0.0.1"))
    port = listener.socket.getsockname()[1]
    return VaultOptions(address=f"http://127.0.0.1:{port}", key="tigercore", token=Secret(_TOKEN), timeout=10.0)


def _http(status: int, body: bytes | dict[str, Any], *headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


async def _wrap(options: VaultOptions) -> bytes:
    async with VaultCipher.open_root(options) as root:
        return await root.wrap(_KEY, _CONTEXT)


async def _unwrap(options: VaultOptions) -> bytes:
    async with VaultCipher.open_root(options) as root:
        return await root.unwrap(_WRAPPED, _CONTEXT)


async def _create(options: VaultOptions) -> bytes:
    return (await trio.to_thread.run_sync(VaultCipher.create_root, options)).encode()


_each_request = pytest.mark.parametrize("ask", [_wrap, _unwrap, _create], ids=["wrap", "unwrap", "create"])
Ask = Callable[[VaultOptions], Awaitable[bytes]]


async def _refused(ask: Ask, options: VaultOptions, match: str = ".") -> KeyUnavailable:
    with pytest.raises(KeyUnavailable, match=match) as caught:
        await ask(options)
    return caught.value


@_each_request
@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"null", b"[]", b"7", b'"data"', b"{", b"\xff", b"[" * 60000, b"{}", b'{"data": null}',
        b'{"data": []}', b'{"data": {}}', b'{"data": {"ciphertext": 1, "plaintext": ["AAAA"], "derived": "true"}}',
        b'{"data": {"ciphertext": null, "plaintext": {}}}', b"9" * 9000,
    ],
)  # fmt: skip
async def test_a_reply_of_the_wrong_shape_is_refused_for_good(
    ask: Ask, server: RawServer, options: VaultOptions, body: bytes
) -> None:
    server.answer = _http(200, body)
    error = await _refused(ask, options, "is it a Vault|is not derived")
    assert not isinstance(error, RootUnreachable)


@pytest.mark.parametrize(
    "text", ["", "hello", "vault:v1:", "vault:v1:!", "vault:v1:AAAA\n", "vault:v1:ÀAAA", "vault:v1:\ud800", "v1:AAAA"]
)
async def test_what_is_no_ciphertext_is_refused(server: RawServer, options: VaultOptions, text: str) -> None:
    server.answer = _http(200, {"data": {"ciphertext": text}})
    await _refused(_wrap, options, "something else than a ciphertext")


@pytest.mark.parametrize("text", ["A", "AAA", "AA AA", "AAAA\n", "=AAA", "À", "\ud800", "AA-_"])
async def test_what_is_no_base64_is_refused(server: RawServer, options: VaultOptions, text: str) -> None:
    server.answer = _http(200, {"data": {"plaintext": text}})
    error = await _refused(_unwrap, options, "something else than base64")
    assert (None, None) == (error.__cause__, error.__context__)


@_each_request
@pytest.mark.parametrize("status", [201, 204, 402, 409, 418])
async def test_a_status_that_transit_does_not_send_is_refused(
    ask: Ask, server: RawServer, options: VaultOptions, status: int
) -> None:
    server.answer = _http(status, b"" if status == 204 else b"{}")
    await _refused(ask, options, f"status {status}: is it a Vault")


@_each_request
async def test_a_reply_that_is_too_large_is_not_read_to_its_end(
    ask: Ask, server: RawServer, options: VaultOptions
) -> None:
    server.answer, server.held = _http(200, b"x" * 65537), True
    await _refused(ask, options, "sent more than 65536 bytes")


async def test_a_reply_of_the_largest_size_is_read(server: RawServer, options: VaultOptions) -> None:
    body = json.dumps({"data": {"ciphertext": _WRAPPED.decode()}}).encode()
    server.answer = _http(200, body + b" " * (65536 - len(body)))
    assert _WRAPPED == await _wrap(options)


async def test_a_chunked_reply_without_an_end_is_cut(server: RawServer, options: VaultOptions) -> None:
    server.answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"1000\r\n" + bytes(4096) + b"\r\n") * 20
    )
    server.held = True
    await _refused(_wrap, options, "sent more than 65536 bytes")


async def test_a_compressed_reply_is_refused(server: RawServer, options: VaultOptions) -> None:
    server.answer = _http(200, b"x", "Content-Encoding: gzip")
    await _refused(_wrap, options, "compressed")


@_each_request
@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200", _http(200, b"x" * 100)[:-50], b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n"],
)
async def test_a_reply_that_is_cut_off_is_worth_another_try(
    ask: Ask, server: RawServer, options: VaultOptions, answer: bytes
) -> None:
    server.answer = answer
    error = await _refused(ask, options, "cannot be reached, or hung up: RemoteProtocolError")
    assert isinstance(error, RootUnreachable)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx"])
async def test_a_server_that_falls_silent_is_given_up(server: RawServer, options: VaultOptions, answer: bytes) -> None:
    server.answer, server.held = answer, True
    with trio.fail_after(3):
        error = await _refused(_wrap, attrs.evolve(options, timeout=0.2), r"gave no whole reply within 0\.2 s")
    assert isinstance(error, RootUnreachable)


@_each_request
@pytest.mark.parametrize(
    ("status", "words"),
    [
        (412, "cannot answer now .status 412"), (429, "over its rate limit"), (500, "cannot answer now .status 500"),
        (502, "cannot answer now .status 502"), (503, "is a standby, or not ready"), (504, "cannot answer now"),
    ],
)  # fmt: skip
async def test_a_server_that_may_answer_later_is_unreachable(
    ask: Ask, server: RawServer, options: VaultOptions, status: int, words: str
) -> None:
    server.answer = _http(status, b'{"errors": []}')
    assert isinstance(await _refused(ask, options, words), RootUnreachable)


@_each_request
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(ask: Ask, server: RawServer, options: VaultOptions, status: int) -> None:
    server.answer = _http(status, b"", f"Location: {options.address}/elsewhere")
    await _refused(ask, options, "redirect, never followed: give the address of the active node")
    assert 1 == len(server.asked)


async def test_a_request_holds_the_token_in_its_header_alone(server: RawServer, options: VaultOptions) -> None:
    await _refused(_wrap, options, "hung up")
    head, _, body = server.asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/transit/encrypt/tigercore HTTP/1.1\r\n")
    assert [f"X-Vault-Token: {_TOKEN}".encode()] == [line for line in head.split(b"\r\n") if _TOKEN.encode() in line]
    assert {"plaintext", "context"} == set(json.loads(body))


def _seen(error: BaseException | None) -> Iterator[str]:
    """Say what an error shows: its words, and those of all that it knows."""
    while error is not None:
        yield f"{error} {error!r} {error.args!r} {vars(error)!r} {getattr(error, '__notes__', '')!r}"
        error = error.__cause__ or error.__context__


_ECHO = {"errors": [_TOKEN, base64.b64encode(_KEY).decode()], "data": {"ciphertext": _TOKEN, "plaintext": _TOKEN}}


@_each_request
@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 418, 429, 500, 503])
async def test_a_token_that_the_server_echoes_is_in_no_error_and_in_no_log(
    ask: Ask, server: RawServer, options: VaultOptions, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer = _http(status, _ECHO, f"X-Echo: {_TOKEN}", f"Location: /{_TOKEN}", f"Set-Cookie: t={_TOKEN}")
    error = await _refused(ask, options)
    shown = " ".join([*_seen(error), caplog.text])
    assert [] == [secret for secret in (_TOKEN, base64.b64encode(_KEY).decode()) if secret in shown]


@_each_request
@pytest.mark.parametrize("answer", [b"", f"HTTP/1.1 {_TOKEN}\r\n\r\n".encode(), f"{_TOKEN}\r\n\r\n".encode()])
async def test_no_error_of_the_http_library_is_carried_along(
    ask: Ask, server: RawServer, options: VaultOptions, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer = answer
    error = await _refused(ask, options, "hung up")
    assert (None, None) == (error.__cause__, error.__context__)
    assert _TOKEN not in " ".join([*_seen(error), caplog.text])
