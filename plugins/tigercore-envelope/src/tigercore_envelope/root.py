"""What wraps the keys of a ring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import final

from tigercore.errors import KeyUnavailable


@final
class RootUnreachable(KeyUnavailable):
    """The root does not answer now; it may answer soon. The envelope cipher asks again a few times."""


@final
class UnwrapFailed(KeyUnavailable):
    """The root answered: another one wrapped these bytes, or it wrapped them for another key, or they were changed."""


class Root(ABC):
    """Wrap keys of 32 bytes: a file, a key management service, a hardware module. It never sees a secret of an account.

    `context` tells which key it is: the application, the ring's id and the key's version, as text. A root binds it to
    what it returns, and refuses to unwrap under another one. It is called once for a key, when a ring is unlocked,
    and never tries again by itself: the envelope cipher does.
    """

    @abstractmethod
    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key, sealed under the root.

        :raises RootUnreachable: the root does not answer.
        :raises KeyUnavailable: it refuses; the message says what to do.
        """

    @abstractmethod
    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key that `wrap` was given.

        :raises RootUnreachable: the root does not answer.
        :raises UnwrapFailed: another root wrapped this, or in another context, or it was changed.
        :raises KeyUnavailable: it refuses, whatever it is given; the message says what to do.
        """

    @abstractmethod
    def identity(self) -> str:
        """Return a name for this very root, for people: equal for equal roots, and no secret."""
