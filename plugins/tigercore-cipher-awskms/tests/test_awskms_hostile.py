"""An endpoint that is none of KMS's, or is broken, and ways on which a key would get lost."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from functools import partial

import pytest
import trio

from tests.integration.frames import held
from tests.integration.hunt import found
from tigercore.errors import KeyUnavailable
from tigercore_cipher_awskms import AwsKmsCipher, AwsKmsOptions, AwsKmsRoot
from tigercore_cipher_awskms import kms as kms_module
from tigercore_cipher_awskms.client import LONGEST_REPLY
from tigercore_envelope import RootUnreachable

_KEY = os.urandom(32)
_TEXT = base64.b64encode(_KEY).decode()
_CONTEXT = {"kek": "1"}
_TYPE = b"Content-Type: application/x-amz-json-1.1\r\n"


class Endpoint:
    """Answer each request with the same bytes. Then close, fall silent, or send a byte now and then."""

    def __init__(self) -> None:
        self.url = ""
        self.answer = b""
        self.then = "closes"
        self.asked: list[bytes] = []
        self.was_asked = trio.Event()
        self.may_go_on = trio.Event()
        self.open = 0

    async def __call__(self, stream: trio.SocketStream) -> None:
        self.open += 1
        with suppress(trio.BrokenResourceError):
            while request := await _request(stream):
                await self._answer(stream, request)
        await trio.aclose_forcefully(stream)
        self.open -= 1

    async def _answer(self, stream: trio.SocketStream, request: bytes) -> None:
        self.asked.append(request)
        self.was_asked.set()
        if self.then == "waits":
            await self.may_go_on.wait()
        await stream.send_all(self.answer)
        for _ in range(300 if self.then == "trickles" else 0):  # six seconds of real time
            await trio.sleep(0.02)
            await stream.send_all(b" ")
        if self.then in ("closes", "trickles"):
            await stream.send_eof()

    def options(self, timeout: float = 5.0) -> AwsKmsOptions:
        return AwsKmsOptions(key_id="alias/root", region="eu-central-1", endpoint_url=self.url, timeout=timeout)


async def _request(stream: trio.SocketStream) -> bytes:
    request = b""
    async for chunk in stream:
        request += chunk
        head, end, body = request.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and len(body) >= int(length[1] if length else 0):
            return request
    return b""


@pytest.fixture
async def endpoint(nursery: trio.Nursery) -> Endpoint:
    endpoint = Endpoint()
    (listener,) = await nursery.start(partial(trio.serve_tcp, endpoint, 0, host="127.0.0.1"))
    endpoint.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    return endpoint


def _http(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n%s" % (status, _TYPE, len(body), body)


def _chunked(body: bytes) -> bytes:
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    return b"HTTP/1.1 200 X\r\n" + _TYPE + b"Transfer-Encoding: chunked\r\n\r\n" + chunks


def _padded(size: int) -> bytes:
    """Return an answer of this size that opens a key."""
    start = json.dumps({"Plaintext": _TEXT}).encode()[:-1]
    return start + b" " * (size - len(start) - 1) + b"}"


async def _wrap(root: AwsKmsRoot) -> bytes:
    return await root.wrap(_KEY, _CONTEXT)


async def _unwrap(root: AwsKmsRoot) -> bytes:
    return await root.unwrap(b"wrapped", _CONTEXT)


async def _ask(options: AwsKmsOptions, ask: Callable[[AwsKmsRoot], Awaitable[bytes]] = _unwrap) -> bytes:
    async with AwsKmsCipher.open_root(options) as root:
        assert isinstance(root, AwsKmsRoot)
        return await ask(root)


async def _all_threads_ended(root: AwsKmsRoot) -> None:
    with trio.fail_after(30):
        for each in range(4):
            await root._limiter.acquire_on_behalf_of(each)


async def _all_connections_closed(endpoint: Endpoint) -> None:
    with trio.fail_after(30):
        while endpoint.open:
            await trio.lowlevel.checkpoint()


# -- answers that are too deep or too long -----------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000])
async def test_a_deeply_nested_answer_is_not_readable(endpoint: Endpoint, body: bytes, status: int) -> None:
    endpoint.answer = _http(body, status)
    with pytest.raises(RootUnreachable, match="cut short, or does not come from KMS"):
        await _ask(endpoint.options())


@pytest.mark.parametrize("frame", [_http, _chunked])
async def test_the_longest_answer_is_read(endpoint: Endpoint, frame: Callable[[bytes], bytes]) -> None:
    endpoint.answer = frame(_padded(LONGEST_REPLY))
    assert await _ask(endpoint.options()) == _KEY


@pytest.mark.parametrize("frame", [_http, _chunked])
async def test_an_answer_that_is_longer_is_cut(endpoint: Endpoint, frame: Callable[[bytes], bytes]) -> None:
    endpoint.answer = frame(_padded(LONGEST_REPLY + 1))
    with pytest.raises(RootUnreachable, match="cut short, or does not come from KMS"):
        await _ask(endpoint.options())


async def test_an_answer_that_breaks_off_inside_a_chunk_is_unreachable(endpoint: Endpoint) -> None:
    endpoint.answer = _chunked(b"{}")[:-9]
    with pytest.raises(RootUnreachable, match=r"KMS does not answer \(HTTPClientError\)"):
        await _ask(endpoint.options())


async def test_a_connection_with_the_rest_of_an_answer_in_it_is_not_used_again(endpoint: Endpoint) -> None:
    endpoint.answer, endpoint.then = _http(b" " * (LONGEST_REPLY + 1)), "stays"
    async with AwsKmsCipher.open_root(endpoint.options()) as root:
        with pytest.raises(RootUnreachable):
            await root.unwrap(b"wrapped", _CONTEXT)
        await _all_connections_closed(endpoint)


# -- time and cancellation ---------------------------------------------------------------------------------

_HEAD_ONLY = b"HTTP/1.1 200 X\r\nX-Slow: "
_IN_THE_BODY = b"HTTP/1.1 200 X\r\n" + _TYPE + b"Content-Length: 1000000\r\n\r\n"


@pytest.mark.parametrize("answer", [_HEAD_ONLY, _IN_THE_BODY], ids=["head", "body"])
async def test_an_answer_that_trickles_has_twice_the_timeout(endpoint: Endpoint, answer: bytes) -> None:
    endpoint.answer, endpoint.then = answer, "trickles"
    with trio.fail_after(30), pytest.raises(RootUnreachable, match="no whole answer within 1 s"):
        await _ask(endpoint.options(timeout=0.5))


async def test_looking_at_the_key_has_twice_the_timeout_too(endpoint: Endpoint) -> None:
    endpoint.answer, endpoint.then = _IN_THE_BODY, "trickles"
    with trio.fail_after(30), pytest.raises(RootUnreachable, match="no whole answer within 1 s"):
        await trio.to_thread.run_sync(AwsKmsCipher.create_root, endpoint.options(timeout=0.5), abandon_on_cancel=True)


async def test_no_more_than_four_threads_are_ever_kept(endpoint: Endpoint) -> None:
    endpoint.answer, endpoint.then = _IN_THE_BODY, "trickles"
    unreachable = []

    async def ask(root: AwsKmsRoot) -> None:
        with pytest.raises(RootUnreachable) as caught:
            await _unwrap(root)
        unreachable.append(caught.value)

    with trio.fail_after(30):
        async with AwsKmsCipher.open_root(endpoint.options(timeout=0.5)) as root, trio.open_nursery() as nursery:
            assert isinstance(root, AwsKmsRoot)
            for _ in range(6):
                nursery.start_soon(ask, root)
    assert (6, 4) == (len(unreachable), len(endpoint.asked))


@asynccontextmanager
async def _abandoned(endpoint: Endpoint, ask: Callable[[AwsKmsRoot], Awaitable[bytes]]) -> AsyncIterator[AwsKmsRoot]:
    """Open a root whose one call was cancelled while the endpoint has not answered it."""
    endpoint.then = "waits"
    async with AwsKmsCipher.open_root(endpoint.options()) as root, trio.open_nursery() as nursery:
        assert isinstance(root, AwsKmsRoot)
        nursery.start_soon(ask, root)
        await endpoint.was_asked.wait()
        nursery.cancel_scope.cancel()
        yield root


async def test_a_cancelled_call_returns_before_kms_has_answered(endpoint: Endpoint) -> None:
    with trio.fail_after(3):  # the timeout is 5
        async with _abandoned(endpoint, _unwrap):
            pass
    assert 1 == endpoint.open


async def test_a_cancelled_call_ends_when_kms_has_answered_and_leaves_no_connection(endpoint: Endpoint) -> None:
    endpoint.answer = _http(_padded(100))
    async with _abandoned(endpoint, _unwrap) as root:
        pass
    endpoint.may_go_on.set()
    await _all_threads_ended(root)
    await _all_connections_closed(endpoint)


async def test_a_cancelled_call_logs_nothing_of_the_key(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    endpoint.answer = _http(_padded(100))
    async with _abandoned(endpoint, _wrap) as root:
        pass
    endpoint.may_go_on.set()
    await _all_threads_ended(root)
    logged = " ".join(f"{record.getMessage()} {record.args!r}" for record in caplog.records)
    assert [] == found({"key": _KEY}, {"the log": logged.encode()})


async def test_a_call_that_comes_after_the_close_leaves_no_connection(endpoint: Endpoint) -> None:
    endpoint.answer, endpoint.then = _http(_padded(100)), "stays"
    kms = await trio.to_thread.run_sync(kms_module.Kms, endpoint.options())
    kms.close()
    assert _KEY == await trio.to_thread.run_sync(kms.decrypt, b"wrapped", _CONTEXT)
    await _all_connections_closed(endpoint)


# -- proxies -----------------------------------------------------------------------------------------------


@pytest.fixture
def proxied(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """Return an endpoint that the environment names as the proxy for everything."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, endpoint.url)
    endpoint.answer = b"HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n"
    return endpoint


@pytest.mark.parametrize("url", ["http://localhost:1", "HTTP://localhost:1"])
async def test_a_key_in_plain_text_does_not_go_to_a_proxy(proxied: Endpoint, url: str) -> None:
    options = AwsKmsOptions(key_id="alias/root", region="eu-central-1", endpoint_url=url)
    with pytest.raises(RootUnreachable, match="EndpointConnectionError"):
        await _ask(options, _wrap)
    assert [] == proxied.asked


async def test_a_plain_endpoint_of_the_environment_has_no_proxy_either(
    proxied: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://localhost:1")
    with pytest.raises(RootUnreachable, match="EndpointConnectionError"):
        await _ask(AwsKmsOptions(key_id="alias/root", region="eu-central-1"), _wrap)
    assert [] == proxied.asked


async def test_https_goes_through_the_proxy_of_the_environment(proxied: Endpoint) -> None:
    options = AwsKmsOptions(key_id="alias/root", region="eu-central-1", endpoint_url="https://kms.example.com")
    with pytest.raises(RootUnreachable, match="ProxyConnectionError"):
        await _ask(options, _wrap)
    assert [b"CONNECT kms.example.com:443 "] == [request[:28] for request in proxied.asked]


async def test_a_client_without_a_proxy_waits_as_long(endpoint: Endpoint) -> None:
    with closing(kms_module.Kms(endpoint.options(timeout=1.5))) as opened:
        config = opened._client.meta.config
    assert (1.5, 1.5, 1) == (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"])


# -- what the frames of an error reach ---------------------------------------------------------------------

_REFUSED = json.dumps({"__type": "DisabledException", "message": _TEXT, "Plaintext": _TEXT}).encode()


@pytest.mark.parametrize("ask", [_wrap, _unwrap])
@pytest.mark.parametrize(
    ("answer", "then"),
    [
        pytest.param(b"", "closes", id="hangs up"),
        pytest.param(b"", "stays", id="says nothing"),
        pytest.param(_IN_THE_BODY, "trickles", id="trickles"),
        pytest.param(_http(_padded(LONGEST_REPLY + 1)), "closes", id="says too much"),
        pytest.param(_http(_REFUSED, 400), "closes", id="refuses with the key in its words"),
        pytest.param(_http(_REFUSED, 503), "closes", id="cannot answer now"),
        pytest.param(_http(json.dumps({"Else": _TEXT}).encode()), "closes", id="answers something else"),
    ],
)
async def test_no_frame_leads_to_the_key_when_kms(
    endpoint: Endpoint, ask: Callable[[AwsKmsRoot], Awaitable[bytes]], answer: bytes, then: str
) -> None:
    endpoint.answer, endpoint.then = answer, then
    with pytest.raises(KeyUnavailable) as caught:
        await _ask(endpoint.options(timeout=0.2 if then != "closes" else 5.0), ask)
    assert [] == found({"key": _KEY}, held(caught.value, but=__file__))
