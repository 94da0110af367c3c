"""A root key in AWS KMS."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, final

import trio

from tigercore.model import Secret
from tigercore_cipher_awskms.kms import Kms
from tigercore_cipher_awskms.options import AwsKmsOptions
from tigercore_envelope import Root, RootUnreachable, UnwrapFailed

_THREADS = 4  # a KMS that hangs keeps no more of them
_LONGEST = 6144  # bytes, of what KMS decrypts
T = TypeVar("T")


@final
class AwsKmsRoot(Root):
    """Wrap keys with KMS Encrypt, unwrap them with KMS Decrypt; the context is the encryption context.

    A call runs in a thread, and has twice the timeout: for the connection and for the answer. When it is cancelled, or
    the time is up, the thread is abandoned: it may still finish its request, and then drops the answer, logs nothing
    of it and closes its connection. It ends with its answer or its timeout; only an endpoint that sends a byte now and
    then keeps it, 4 of them at most: from then on the root is unreachable, until one ends.
    """

    def __init__(self, options: AwsKmsOptions, kms: Kms) -> None:
        self._kms = kms
        self._key_id = options.key_id
        self._seconds = 2 * options.timeout
        self._limiter = trio.CapacityLimiter(_THREADS)

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key, sealed by KMS.

        :raises RootUnreachable: KMS does not answer, or says that it cannot now.
        :raises KeyUnavailable: it refuses; the message says what to do.
        """
        secret = Secret(base64.b64encode(key).decode())
        del key  # no error shows it
        return await self._ask(self._kms.encrypt, secret, context)

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key that was wrapped.

        :raises RootUnreachable: KMS does not answer, or says that it cannot now.
        :raises UnwrapFailed: another key wrapped this, in another context, or it was changed.
        :raises KeyUnavailable: it refuses; the message says what to do.
        """
        if not 0 < len(wrapped) <= _LONGEST:
            raise UnwrapFailed(f"{len(wrapped)} bytes are nothing that KMS has wrapped")
        return await self._ask(self._kms.decrypt, wrapped, context)

    async def describe(self) -> Mapping[str, Any]:
        """Return the key's metadata. Errors as `wrap`."""
        return await self._ask(self._kms.describe)

    def identity(self) -> str:
        """Return `awskms:` and the key's ARN, id or alias, as configured."""
        return f"awskms:{self._key_id}"

    async def _ask(self, call: Callable[..., T], *given: Any) -> T:
        with trio.move_on_after(self._seconds):
            # A unit of work of a store is never abandoned. This may be: KMS keeps nothing of a request.
            return await trio.to_thread.run_sync(call, *given, abandon_on_cancel=True, limiter=self._limiter)
        raise RootUnreachable(
            f"KMS key {self._key_id}: no whole answer within {self._seconds:g} s: check the network and `endpoint_url`"
        )
