"""The cipher whose root is in AWS KMS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from typing import Any, ClassVar, final

import trio

from tigercore.errors import KeyUnavailable
from tigercore_cipher_awskms.kms import Kms
from tigercore_cipher_awskms.options import AwsKmsOptions
from tigercore_cipher_awskms.root import AwsKmsRoot
from tigercore_envelope import EnvelopeCipher, Root

_SYMMETRIC = ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT")
_STATES = {
    "Disabled": "is disabled: run `aws kms enable-key`",
    "PendingDeletion": "is pending deletion: run `aws kms cancel-key-deletion`, then `aws kms enable-key`",
    "PendingImport": "has no key material: import it, or name another key",
}


@final
class AwsKmsCipher(EnvelopeCipher):
    """Seal under a symmetric key of AWS KMS, which never leaves it."""

    Options: ClassVar[type] = AwsKmsOptions

    @classmethod
    def create_root(cls, options: AwsKmsOptions) -> str:
        """Say which key the options name. None is ever made: that costs money, and belongs to who runs the account.

        :raises RootUnreachable: KMS does not answer.
        :raises KeyUnavailable: there is no such key, or it cannot be used; the message says what to do.
        """
        with ThreadPoolExecutor(1) as thread:  # the caller may be in a trio of its own, and those do not nest
            arn = _usable(thread.submit(trio.run, _described, options).result())
        return f"Found the KMS key {arn}, enabled and symmetric, by the name {options.key_id}; nothing was made."

    @classmethod
    @asynccontextmanager
    async def open_root(cls, options: AwsKmsOptions) -> AsyncIterator[Root]:
        """Find region and credentials. KMS is asked when the root is first used.

        :raises KeyUnavailable: they are not there.
        """
        with closing(await trio.to_thread.run_sync(Kms, options)) as kms:
            yield AwsKmsRoot(options, kms)


async def _described(options: AwsKmsOptions) -> Mapping[str, Any]:
    with closing(Kms(options)) as kms:
        return await AwsKmsRoot(options, kms).describe()


def _usable(key: Mapping[str, Any]) -> str:
    """Return the ARN of a key that can be a root."""
    arn, state = key.get("Arn"), key.get("KeyState")
    if (key.get("KeyUsage"), key.get("KeySpec")) != _SYMMETRIC:
        raise KeyUnavailable(
            f"the KMS key {arn} is for {key.get('KeyUsage')} with {key.get('KeySpec')}: "
            "name a symmetric one (ENCRYPT_DECRYPT, SYMMETRIC_DEFAULT)"
        )
    if state != "Enabled":
        raise KeyUnavailable(f"the KMS key {arn} {_STATES.get(str(state), f'is in the state {state}: enable it')}")
    return str(arn)
