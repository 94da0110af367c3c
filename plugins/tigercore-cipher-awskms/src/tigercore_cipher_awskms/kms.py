"""AWS KMS, as far as a root needs it."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, final

from tigercore.model import Secret
from tigercore_cipher_awskms.client import connect
from tigercore_cipher_awskms.options import AwsKmsOptions
from tigercore_cipher_awskms.refusal import refusal, unreadable


@final
class Kms:
    """Three calls for one key. They block: up to the timeout for a connection, and again for each part of an answer.

    Errors of making one as `connect`.
    """

    def __init__(self, options: AwsKmsOptions) -> None:
        self._key_id = options.key_id
        self._client = connect(options)
        self._closed = False

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
        """Close the connections; one that a thread still uses is closed when its call ends."""
        self._closed = True
        self._client.close()

    def _ask(self, call: Callable[..., Any], wanted: str, **parameters: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call(KeyId=self._key_id, **parameters)[wanted]
        except (BotoCoreError, ClientError) as error:
            refused = refusal(error, self._key_id)
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            refused = unreadable(self._key_id)  # botocore trips over an answer that is not of KMS's shape
        finally:
            if self._closed:  # an abandoned call: nobody else closes what it has opened since
                self._client.close()
        raise refused  # out here, so that no error leads to the request: the key is in it


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
