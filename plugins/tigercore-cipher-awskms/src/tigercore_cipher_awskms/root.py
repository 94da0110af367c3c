"""A root key in AWS KMS."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import final

import trio

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_awskms.kms import Kms
from tigercore_envelope import Root

_THREADS = 4  # a KMS that hangs keeps no more of them
_LONGEST = 6144  # bytes, of what KMS decrypts


@final
class AwsKmsRoot(Root):
    """Wrap keys with KMS Encrypt, unwrap them with KMS Decrypt; the context is the encryption context.

    A call runs in a thread. When it is cancelled it still ends, by its answer or its timeout.
    """

    def __init__(self, kms: Kms, key_id: str) -> None:
        self._kms = kms
        self._key_id = key_id
        self._limiter = trio.CapacityLimiter(_THREADS)

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key, sealed by KMS.

        :raises RootUnreachable: KMS does not answer, or says that it cannot now.
        :raises KeyUnavailable: it refuses; the message says what to do.
        """
        secret = Secret(base64.b64encode(key).decode())
        del key  # no error shows it
        return await trio.to_thread.run_sync(self._kms.encrypt, secret, context, limiter=self._limiter)

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key that was wrapped.

        :raises RootUnreachable: KMS does not answer, or says that it cannot now.
        :raises KeyUnavailable: it refuses, another key wrapped this, in another context, or it was changed.
        """
        if not 0 < len(wrapped) <= _LONGEST:
            raise KeyUnavailable(f"{len(wrapped)} bytes are nothing that KMS has wrapped")
        return await trio.to_thread.run_sync(self._kms.decrypt, wrapped, context, limiter=self._limiter)

    def identity(self) -> str:
        """Return `awskms:` and the key's ARN, id or alias, as configured."""
        return f"awskms:{self._key_id}"
