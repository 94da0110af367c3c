"""What moto does not do: a server that answers what KMS answers when something is wrong."""

from __future__ import annotations

import base64
import json
import logging
import os
import random
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import attrs
import pytest
import trio
from botocore import exceptions as aws

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, Secret
from tigercore.ports import DriverContext
from tigercore.testing.clock import driver_context
from tigercore_cipher_awskms import AwsKmsCipher, AwsKmsOptions
from tigercore_cipher_awskms import kms as kms_module
from tigercore_cipher_awskms.refusal import refusal
from tigercore_envelope import RootUnreachable, UnwrapFailed

_CONTEXT = {"app": "tigercore", "keyring": "00000000-0000-0000-0000-000000000009", "kek": "7"}
_KEY = os.urandom(32)
_RING = KeyRing(UUID(int=9), 1)
_SECRET_SHAPES = [base64.b64encode(_KEY).decode(), _KEY.hex(), repr(_KEY)[2:-1]]


class Kms(ThreadingHTTPServer):
    """Answer in turn what it was told to, the last one for ever, and count requests and connections."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.connected = self.disconnected = 0
        self.was_asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.went = threading.Condition()

    def answer(self, status: int, body: Any) -> None:
        self.answers.append((status, body if isinstance(body, bytes) else json.dumps(body).encode()))

    def refuse(self, code: str, status: int = 400) -> None:
        self.answer(status, {"__type": code, "message": "arn:aws:kms:eu-central-1:111122223333:key/x says so"})

    def hang_up(self) -> None:
        self.answers.append((0, b""))

    def options(self, timeout: float = 5.0) -> AwsKmsOptions:
        url = f"http://127.0.0.1:{self.server_address[1]}"
        return AwsKmsOptions(key_id="alias/root", region="eu-central-1", endpoint_url=url, timeout=timeout)

    def wait_until_all_have_gone(self) -> None:
        with self.went:
            assert self.went.wait_for(lambda: self.connected == self.disconnected, timeout=5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Kms

    def handle(self) -> None:
        with self.server.went:
            self.server.connected += 1
        super().handle()
        with self.server.went:
            self.server.disconnected += 1
            self.server.went.notify_all()

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.headers["X-Amz-Target"], asked))
        self.server.was_asked.set()
        self.server.may_answer.wait()
        status, body = self.server.answers[min(len(self.server.asked), len(self.server.answers)) - 1]
        self.close_connection = status == 0
        if self.close_connection:
            return
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def kms() -> Iterator[Kms]:
    with Kms() as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield server
        server.may_answer.set()
        server.shutdown()
        thread.join()


async def _unwrap(kms: Kms) -> bytes:
    async with AwsKmsCipher.open_root(kms.options()) as root:
        return await root.unwrap(b"wrapped", _CONTEXT)


async def _wrap(kms: Kms) -> bytes:
    async with AwsKmsCipher.open_root(kms.options()) as root:
        return await root.wrap(_KEY, _CONTEXT)


class _NoWait(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return 0.0


def _impatient() -> DriverContext:
    """Return a context in which a cipher asks again at once. A clock that jumps would jump over what a thread does."""
    return attrs.evolve(driver_context(), rng=_NoWait())


def _blob(data: bytes) -> str:
    return base64.b64encode(data).decode()


# -- what is asked -----------------------------------------------------------------------------------------


async def test_unwrapping_names_the_key_and_the_context(kms: Kms) -> None:
    kms.answer(200, {"Plaintext": _blob(_KEY)})
    assert await _unwrap(kms) == _KEY
    wanted = {"KeyId": "alias/root", "CiphertextBlob": _blob(b"wrapped"), "EncryptionContext": _CONTEXT}
    assert [("TrentService.Decrypt", wanted)] == kms.asked


async def test_the_longest_that_kms_takes_is_unwrapped(kms: Kms) -> None:
    kms.answer(200, {"Plaintext": _blob(_KEY)})
    async with AwsKmsCipher.open_root(kms.options()) as root:
        assert await root.unwrap(bytes(6144), _CONTEXT) == _KEY


async def test_wrapping_names_the_key_and_the_context(kms: Kms) -> None:
    kms.answer(200, {"CiphertextBlob": _blob(b"wrapped")})
    assert await _wrap(kms) == b"wrapped"
    wanted = {"KeyId": "alias/root", "Plaintext": _blob(_KEY), "EncryptionContext": _CONTEXT}
    assert [("TrentService.Encrypt", wanted)] == kms.asked


# -- what KMS refuses --------------------------------------------------------------------------------------

_REFUSALS = [
    ("NotFoundException", "check `key_id` and `region`"),
    ("DisabledException", "run `aws kms enable-key`"),
    ("KMSInvalidStateException", "`aws kms cancel-key-deletion`"),
    ("InvalidKeyUsageException", "name a symmetric key"),
    ("AccessDeniedException", "allow kms:Encrypt, kms:Decrypt and kms:DescribeKey"),
    ("InvalidCiphertextException", "name the key that made the ring"),
    ("IncorrectKeyException", "name the key that made the ring"),
    ("ExpiredTokenException", "a role or `profile` that is valid"),
    ("UnrecognizedClientException", "a role or `profile` that is valid"),
    ("InvalidSignatureException", "a right clock"),
    ("SomethingNewException", r"AWS refused \(SomethingNewException\): look it up"),
]


@pytest.mark.parametrize(("code", "advice"), _REFUSALS)
async def test_a_refusal_is_told_in_one_line_with_what_to_do(kms: Kms, code: str, advice: str) -> None:
    kms.refuse(code)
    with pytest.raises(KeyUnavailable, match=f"^KMS key alias/root: .*{advice}") as caught:
        await _unwrap(kms)
    foreign = code in ("InvalidCiphertextException", "IncorrectKeyException")
    kind = UnwrapFailed if foreign else KeyUnavailable
    assert (kind, 1) == (caught.type, len(str(caught.value).splitlines()))


async def test_a_disabled_key_wraps_nothing(kms: Kms) -> None:
    kms.refuse("DisabledException")
    with pytest.raises(KeyUnavailable, match="the key is disabled"):
        await _wrap(kms)


def test_a_key_may_not_even_be_described(kms: Kms) -> None:
    kms.refuse("AccessDeniedException")
    with pytest.raises(KeyUnavailable, match=r"access denied: allow .* kms:DescribeKey"):
        AwsKmsCipher.create_root(kms.options())


@pytest.mark.parametrize("state", ["Creating", "Unavailable", "PendingReplicaDeletion", "PendingImport"])
def test_only_an_enabled_key_is_a_root(kms: Kms, state: str) -> None:
    usable = {"KeyId": "x", "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT"}
    kms.answer(200, {"KeyMetadata": usable | {"KeyState": state}})
    with pytest.raises(KeyUnavailable, match="import it" if state == "PendingImport" else f"the state {state}"):
        AwsKmsCipher.create_root(kms.options())


# -- a KMS that cannot answer now --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("KMSInternalException", 500),
        ("DependencyTimeoutException", 400),
        ("KeyUnavailableException", 400),
        ("TooManyThings", 429),
        ("InternalFailure", 500),
        ("ServiceUnavailable", 503),
    ],
)
async def test_what_may_pass_later_is_unreachable_and_was_asked_once(kms: Kms, code: str, status: int) -> None:
    kms.refuse(code, status)
    with pytest.raises(RootUnreachable, match=rf"KMS cannot answer now \({code}\)"):
        await _unwrap(kms)
    assert 1 == len(kms.asked)


async def test_a_page_of_a_proxy_is_unreachable(kms: Kms) -> None:
    kms.answer(502, b"<html><body>Bad gateway</body></html>")
    with pytest.raises(RootUnreachable, match="cannot answer now"):
        await _unwrap(kms)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'"text"',
        b'{"Plaintext": null}',
        b'{"Plaintext": 1}',
        b'{"Plaintext": "A"}',
        b'{"Plaintext": "' + b"A" * 20,  # cut short
        b"\xff\xfe",
        b"<html>",
    ],
)
async def test_an_answer_that_is_not_whole_is_unreachable(kms: Kms, body: bytes) -> None:
    kms.answer(200, body)
    with pytest.raises(RootUnreachable, match="cut short, or does not come from KMS"):
        await _unwrap(kms)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff"])
async def test_a_refusal_that_is_not_whole_is_refused(kms: Kms, body: bytes) -> None:
    kms.answer(400, body)
    with pytest.raises(KeyUnavailable, match=r"AWS refused \(400\)|cut short"):
        await _unwrap(kms)


async def test_a_kms_that_hangs_up_is_unreachable(kms: Kms) -> None:
    kms.hang_up()
    with pytest.raises(RootUnreachable, match="ConnectionClosedError"):
        await _unwrap(kms)
    assert 1 == len(kms.asked)


async def test_a_kms_that_hangs_is_unreachable_after_the_timeout(kms: Kms) -> None:
    kms.hang_up()
    kms.may_answer.clear()
    with pytest.raises(RootUnreachable, match="ReadTimeoutError"):
        async with AwsKmsCipher.open_root(kms.options(timeout=0.05)) as root:
            await root.unwrap(b"wrapped", _CONTEXT)
    assert await trio.to_thread.run_sync(kms.was_asked.wait, 30)  # a busy server looks later than the client waits
    assert 1 == len(kms.asked)


def test_the_timeout_is_for_the_connection_and_for_the_answer(kms: Kms) -> None:
    with closing(kms_module.Kms(kms.options(timeout=1.5))) as opened:
        config = opened._client.meta.config
    assert (1.5, 1.5) == (config.connect_timeout, config.read_timeout)


@pytest.mark.parametrize(
    "error",
    [
        aws.ConnectTimeoutError(endpoint_url="https://x"),
        aws.ConnectionClosedError(endpoint_url="https://x"),
        aws.ProxyConnectionError(proxy_url="http://x", error="x"),
        aws.SSLError(endpoint_url="https://x", error="x"),
    ],
)
def test_what_happens_on_the_way_is_unreachable(error: Exception) -> None:
    assert isinstance(refusal(error, "alias/root"), RootUnreachable)


@pytest.mark.parametrize(
    "error",
    [
        aws.CredentialRetrievalError(provider="x", error_msg="x"),
        aws.UnauthorizedSSOTokenError(),
        aws.TokenRetrievalError(provider="x", error_msg="x"),
        aws.LoginRefreshRequired(),
    ],
)
def test_credentials_that_cannot_be_had_are_no_matter_of_time(error: Exception) -> None:
    told = refusal(error, "alias/root")
    assert (KeyUnavailable, True) == (type(told), "aws sts get-caller-identity" in str(told))


def test_an_error_of_botocore_that_is_not_known_is_named() -> None:
    assert "AWS refused (ConfigParseError)" in str(refusal(aws.ConfigParseError(path="x"), "alias/root"))


async def test_only_the_cipher_asks_again_and_then_fails_closed(kms: Kms) -> None:
    kms.refuse("ThrottlingException")
    async with AwsKmsCipher.open(kms.options(), _impatient()) as cipher:
        with pytest.raises(RootUnreachable):
            await cipher.create_key(_RING)
    assert 5 == len(kms.asked)


async def test_a_kms_that_comes_back_is_used(kms: Kms) -> None:
    kms.refuse("KMSInternalException", 500)
    kms.refuse("KMSInternalException", 500)
    kms.answer(200, {"CiphertextBlob": _blob(b"wrapped")})
    async with AwsKmsCipher.open(kms.options(), _impatient()) as cipher:
        key = await cipher.create_key(_RING)
    assert [("awskms:alias/root", b"wrapped")] == [(slot.provider, slot.blob) for slot in key.slots]


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
async def test_no_setting_of_the_machine_makes_boto3_ask_again(
    kms: Kms, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("AWS_RETRY_MODE", mode)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "4")
    kms.refuse("ThrottlingException")
    with pytest.raises(RootUnreachable):
        await _unwrap(kms)
    assert 1 == len(kms.asked)


def test_no_setting_of_the_machine_makes_boto3_wait(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")  # slows a client down that was throttled
    with closing(kms_module.Kms(kms.options())) as opened:
        assert "standard" == opened._client.meta.config.retries["mode"]


# -- cancellation ------------------------------------------------------------------------------------------


async def test_a_cancelled_call_leaves_no_connection(kms: Kms) -> None:
    kms.answer(200, {"Plaintext": _blob(_KEY)})
    kms.may_answer.clear()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_unwrap, kms)
            await trio.to_thread.run_sync(kms.was_asked.wait, 5)
            scope.cancel()
            kms.may_answer.set()
    await trio.to_thread.run_sync(kms.wait_until_all_have_gone)
    assert 1 == kms.connected


async def test_calls_share_a_connection_that_is_closed_with_the_root(kms: Kms) -> None:
    kms.answer(200, {"Plaintext": _blob(_KEY)})
    async with AwsKmsCipher.open_root(kms.options()) as root:
        for _ in range(3):
            await root.unwrap(b"wrapped", _CONTEXT)
    await trio.to_thread.run_sync(kms.wait_until_all_have_gone)
    assert 1 == kms.connected


# -- secrecy -----------------------------------------------------------------------------------------------


async def test_nothing_is_logged_of_a_key_at_any_level(kms: Kms, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    kms.answer(200, {"CiphertextBlob": _blob(b"wrapped"), "Plaintext": _blob(_KEY)})
    await _wrap(kms)
    await _unwrap(kms)
    logged = " ".join(f"{record.getMessage()} {record.args!r}" for record in caplog.records)
    assert "botocore" in {record.name.partition(".")[0] for record in caplog.records}
    assert [] == [shape for shape in _SECRET_SHAPES if shape in logged]


def test_what_is_no_key_is_logged_as_ever(kms: Kms, caplog: pytest.LogCaptureFixture) -> None:
    kms.answer(200, {"CiphertextBlob": _blob(b"wrapped"), "KeyMetadata": {"KeyId": "x"}})
    with closing(kms_module.Kms(kms.options())) as opened:
        opened.encrypt(Secret(base64.b64encode(_KEY).decode()), _CONTEXT)
        caplog.set_level(logging.DEBUG)
        opened.describe()
    assert {"botocore.endpoint", "botocore.parsers"} <= {record.name for record in caplog.records}


@pytest.mark.parametrize("status", [400, 500, 200])
async def test_no_error_shows_or_leads_to_the_key(kms: Kms, status: int) -> None:
    kms.answer(status, {"__type": "X", "message": _blob(_KEY)})
    with pytest.raises(KeyUnavailable) as caught:
        await _wrap(kms)
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)
    assert [] == [shape for shape in _SECRET_SHAPES if shape in f"{caught.value} {caught.value!r}"]


async def test_nothing_that_is_kept_shows_credentials(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-aws")
    async with AwsKmsCipher.open(kms.options(), driver_context()) as cipher:
        assert "a-secret-of-aws" not in f"{cipher!r} {vars(cipher)!r} {vars(cipher._root)!r} {cipher.options!r}"
