"""A ring whose keys can be used."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Self, final
from uuid import UUID

import attrs

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeyState
from tigercore_envelope.envelope import seal, unseal
from tigercore_envelope.kek import Kek
from tigercore_envelope.lp import lp


@final
@attrs.frozen
class UnlockedRing:
    """Seal, open and hash with the keys of one ring. `place` binds every message to the ring."""

    id: UUID
    active: Kek
    keks: Mapping[int, Kek]
    place: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, ring: KeyRing, keks: Mapping[int, Kek]) -> Self:
        """Join a ring and those of its keys that open messages.

        :raises KeyUnavailable: the active one is not among them, or is in another state.
        """
        if not any(key.version == ring.active and key.state is KeyState.ACTIVE for key in ring.keys):
            raise KeyUnavailable(f"key {ring.active} is to seal, but is not active: restore the key ring from a backup")
        return cls(ring.id, keks[ring.active], keks, lp(b"tigercore.ctx.1", ring.id.bytes))

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Seal a message with the active key."""
        return seal(self.active, plaintext, self.place + lp(context))

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """Open a message with the key that it names. Errors as `tigercore_envelope.unseal`."""
        return unseal(sealed, self.keks, self.place + lp(context))

    def mac(self, data: bytes, purpose: str) -> bytes:
        """Return HMAC-SHA256 under a key of the purpose's own, derived from the lowest version that opens messages.

        The lowest, because a ring grows upwards: a hash stays the same until that key is retired.
        """
        kek = self.keks[min(self.keks)]
        return hmac.digest(kek.derive(lp(b"tigercore/mac", purpose.encode()), 32), data, "sha256")
