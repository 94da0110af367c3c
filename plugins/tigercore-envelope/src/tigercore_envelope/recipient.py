"""A recovery key: a key pair of age-encryption.org/v1. Its public half wraps; its secret half lies in a safe."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, final

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_envelope.kek import SIZE
from tigercore_envelope.lp import lp
from tigercore_envelope.root import Root, UnwrapFailed

if TYPE_CHECKING:
    from pyrage import x25519


@final
class Recipient(Root):
    """Wrap keys for an age recipient (`age1…`); with its identity (`AGE-SECRET-KEY-1…`), unwrap them too.

    age binds no context, so the context stands before the key, inside.

    :raises KeyUnavailable: the text is no recipient, or the identity is another one's.
    """

    def __init__(self, recipient: str, identity: x25519.Identity | None = None) -> None:
        self._public = _recipient(recipient)
        self._identity = identity

    @classmethod
    def from_identity(cls, text: Secret) -> Recipient:
        """Return the recipient that this identity belongs to.

        :raises KeyUnavailable: the text is no identity.
        """
        identity = _identity(text)
        if identity is None:
            raise KeyUnavailable("not an age identity: one line that begins with AGE-SECRET-KEY-1 is expected")
        return cls(str(identity.to_public()), identity)

    @property
    def can_open(self) -> bool:
        """Say whether the identity is here."""
        return self._identity is not None

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        """Return an age file with the key in it."""
        import pyrage

        return bytes(pyrage.encrypt(_bound(context) + key, [self._public]))

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key.

        :raises UnwrapFailed: the file is for another recipient or another key, or was changed.
        :raises KeyUnavailable: there is no identity here.
        """
        if self._identity is None:
            raise KeyUnavailable(f"{self.identity()} only seals here: give its identity file")
        key = _opened(wrapped, self._identity, _bound(context))
        if isinstance(key, UnwrapFailed):
            raise key  # out here, where no frame holds what was opened
        return key

    def identity(self) -> str:
        """Return the recipient: it is public."""
        return str(self._public)


def _identity(text: Secret) -> x25519.Identity | None:
    from pyrage import IdentityError, x25519

    try:
        return x25519.Identity.from_str(text.reveal().strip())
    except (IdentityError, ValueError):
        return None


def _opened(wrapped: bytes, identity: x25519.Identity, bound: bytes) -> bytes | UnwrapFailed:
    import pyrage

    try:
        opened = bytes(pyrage.decrypt(wrapped, [identity]))
    except pyrage.DecryptError:
        return UnwrapFailed("not sealed for this recovery key, or changed")
    if len(opened) != len(bound) + SIZE or not hmac.compare_digest(opened[:-SIZE], bound):
        return UnwrapFailed("sealed for another ring or version")
    return opened[-SIZE:]


def _recipient(text: str) -> x25519.Recipient:
    from pyrage import RecipientError, x25519

    try:
        return x25519.Recipient.from_str(text)
    except (RecipientError, ValueError):
        raise KeyUnavailable(f"{text[:12]}… is no age recipient: give one that begins with age1") from None


def _bound(context: Mapping[str, str]) -> bytes:
    return lp(b"tigercore.recovery.1", *[text.encode() for pair in sorted(context.items()) for text in pair])
