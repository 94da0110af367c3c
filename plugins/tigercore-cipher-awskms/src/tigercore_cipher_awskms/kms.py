"""AWS KMS, as far as a root needs it."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, final

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_awskms.options import AwsKmsOptions, endpoint_fault
from tigercore_cipher_awskms.refusal import NO_CREDENTIALS, refusal, unreadable

_ONCE = {"mode": "standard", "total_max_attempts": 1}  # the envelope cipher is the one that asks again


@final
class Kms:
    """Three calls for one key. They block: up to the timeout for a connection, and again for an answer.

    :raises KeyUnavailable: there is no region, no credentials or no such profile. KMS itself is not asked.
    """

    def __init__(self, options: AwsKmsOptions) -> None:
        self._key_id = options.key_id
        self._client = _connect(options)

    def encrypt(self, key: Secret, context: Mapping[str, str]) -> bytes:
        """Return the key, given in base64, sealed for a context. Errors as `Root.wrap`."""

        def call(**given: Any) -> Any:
            return self._client.encrypt(Plaintext=base64.b64decode(key.reveal()), **given)

        with _unlogged():
            sealed = self._ask(call, "CiphertextBlob", EncryptionContext=dict(context))
        return bytes(sealed)

    def decrypt(self, blob: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key that was sealed for this context. Errors as `Root.unwrap`."""
        with _unlogged():
            key = self._ask(self._client.decrypt, "Plaintext", CiphertextBlob=blob, EncryptionContext=dict(context))
        return bytes(key)

    def describe(self) -> Mapping[str, Any]:
        """Return the key's metadata: `Arn`, `KeyState`, `KeyUsage`, `KeySpec`. Errors as `Root.wrap`."""
        metadata: Mapping[str, Any] = self._ask(self._client.describe_key, "KeyMetadata")
        return metadata

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, call: Callable[..., Any], wanted: str, **parameters: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call(KeyId=self._key_id, **parameters)[wanted]
        except (BotoCoreError, ClientError) as error:
            refused = refusal(error, self._key_id)
        except (AttributeError, LookupError, TypeError, ValueError):  # botocore trips over an answer not of KMS's shape
            refused = unreadable(self._key_id)
        raise refused  # out here, so that no error leads to the request: the key is in it


def _connect(options: AwsKmsOptions) -> Any:
    import boto3  # takes 0.1 s
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(connect_timeout=options.timeout, read_timeout=options.timeout, retries=dict(_ONCE))
    try:
        session = boto3.Session(profile_name=options.profile, region_name=options.region)
        if session.get_credentials() is None:
            raise KeyUnavailable(f"KMS key {options.key_id}: {NO_CREDENTIALS}")
        client = session.client("kms", endpoint_url=options.endpoint_url, config=config)
    except BotoCoreError as error:
        raise refusal(error, options.key_id) from None
    return _checked(client)


def _checked(client: Any) -> Any:
    """Refuse an endpoint that boto3 has found in the environment or in its files, if keys must not pass there."""
    fault = endpoint_fault(client.meta.endpoint_url)
    if fault is not None:
        client.close()
        raise KeyUnavailable(f"{fault}; AWS_ENDPOINT_URL or ~/.aws/config set it")
    return client


# -- botocore logs at level DEBUG what it sends and receives ------------------------------------------------

_unlogged_now: ContextVar[bool] = ContextVar("tigercore_cipher_awskms_unlogged", default=False)


def _may_log(_: logging.LogRecord) -> bool:
    return not _unlogged_now.get()


@contextmanager
def _unlogged() -> Iterator[None]:
    """Let botocore log nothing of this call; what the program does with AWS beside it is logged as ever."""
    for name in ("botocore.auth", "botocore.endpoint", "botocore.parsers"):
        logging.getLogger(name).addFilter(_may_log)
    token = _unlogged_now.set(True)
    try:
        yield
    finally:
        _unlogged_now.reset(token)
