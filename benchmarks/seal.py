"""Row group 3: what the envelope adds to the cryptography in it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from benchmarks.installation import install
from benchmarks.measure import Row, Scale, beside
from benchmarks.world import unlock
from tigercore._plugins import choose
from tigercore.clock import SystemClock
from tigercore.testing.clock import driver_context

_SECRET, _CONTEXT = os.urandom(1_700), b"tc_account 00000000000000000000000000000001 credentials 1"
_MOST = 2.5


async def rows(scale: Scale) -> AsyncIterator[Row]:
    """Measure sealing and opening credentials once through the port of the local cipher."""
    with TemporaryDirectory() as place:
        chosen = choose(await install(Path(place))).cipher
        async with chosen.open(driver_context(SystemClock())) as cipher:
            await unlock(cipher)

            def both() -> bytes:
                return cipher.decrypt(cipher.encrypt(_SECRET, context=_CONTEXT), context=_CONTEXT)

            least, took = (seconds * 1e6 for seconds in beside(raw(), both, scale))
    ratio = took / least
    yield Row("seal", "seal + open 1.7 KB", "µs", took, least, "raw HKDF + AES-GCM", ratio, _MOST, f"≤ {_MOST} × raw")


def raw() -> Callable[[], bytes]:
    """Return the same work without an envelope: a key from a random salt each time, no commitment, no padding."""
    root, hash_ = os.urandom(32), SHA256()

    def both() -> bytes:
        random = os.urandom(44)
        salt, nonce = random[:32], random[32:]
        key = HKDF(hash_, 32, salt, _CONTEXT).derive(root)
        sealed = AESGCM(key).encrypt(nonce, _SECRET, _CONTEXT)
        again = HKDF(hash_, 32, salt, _CONTEXT).derive(root)
        return AESGCM(again).decrypt(nonce, sealed, _CONTEXT)

    return both
