"""A root that a person knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import trio

from tigercore.model import Secret
from tigercore_cipher_local.passphrase import encode
from tigercore_cipher_local.root import LocalRoot
from tigercore_cipher_local.stretch import WORK, Stretch
from tigercore_cipher_local.terminal import ask
from tigercore_envelope import Kek, Root, UnwrapFailed

_WRONG = "wrong passphrase: give the one that this ring was made with; if it is that one, the key was changed or moved"
_ENOUGH = "other stretches of the passphrase were tried for this key, and it is not worth more time"


@final
class PassphraseRoot(Root):
    """Wrap keys under a passphrase, stretched once for each salt and cost; None is asked for, once, when it is needed.

    A key is wrapped with the stretch of the key that was last unwrapped, so that a ring costs one; until then, and for
    a new ring, with `stretch`. All that is tried for one key fills 8 GiB at most: no ring of ours needs more, and one
    that somebody else made keeps nobody busy.

    :raises KeyUnavailable: the passphrase cannot be one.
    """

    def __init__(self, passphrase: Secret | None = None, stretch: Stretch | None = None) -> None:
        if passphrase is not None:
            encode(passphrase)
        self._passphrase = passphrase
        self._stretch = stretch or Stretch.fresh()
        self._roots: dict[Stretch, LocalRoot] = {}
        self._tried: dict[frozenset[tuple[str, str]], set[Stretch]] = {}
        self._turn = trio.Lock()

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key, sealed, behind the stretch that opens it.

        :raises KeyUnavailable: no passphrase is to be had.
        """
        stretch, kek = self._stretch, Kek(0, key)
        del key  # no error shows it
        root = await self._root(stretch, new=True)
        return stretch.header() + await kek.wrapped(root, _bound(context, stretch))

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key that was wrapped.

        :raises UnwrapFailed: it is another passphrase, or what was wrapped was changed or moved.
        :raises KeyUnavailable: no passphrase is to be had.
        """
        stretch, sealed = Stretch.split(wrapped)
        tried = self._tried.setdefault(frozenset(context.items()), set())
        self._require_worth(stretch, tried)
        root = await self._root(stretch, new=False)
        tried.add(stretch)
        key = await root.unwrap(sealed, _bound(context, stretch))
        self._stretch = stretch  # it is known to be ours only now
        return key

    def identity(self) -> str:
        """Return `local:passphrase-` and 8 hex digits of the salt; the passphrase itself may not be known yet.

        It is that of the ring once a key of the ring was unwrapped.
        """
        return f"local:passphrase-{self._stretch.salt[:4].hex()}"

    def _require_worth(self, stretch: Stretch, tried: set[Stretch]) -> None:
        if stretch not in self._roots and sum(each.work for each in {*tried, stretch}) > WORK:
            raise UnwrapFailed(_ENOUGH)

    async def _root(self, stretch: Stretch, *, new: bool) -> LocalRoot:
        async with self._turn:  # else two would ask, or stretch, at once
            if stretch not in self._roots:
                passphrase = await self._known(new)
                self._roots[stretch] = await trio.to_thread.run_sync(
                    _stretched, stretch, passphrase, abandon_on_cancel=True
                )
            return self._roots[stretch]

    async def _known(self, new: bool) -> Secret:
        if self._passphrase is None:
            self._passphrase = await ask(new=new)
        return self._passphrase


def _stretched(stretch: Stretch, passphrase: Secret) -> LocalRoot:
    return LocalRoot(stretch.derive(encode(passphrase)), _WRONG)


def _bound(context: Mapping[str, str], stretch: Stretch) -> dict[str, str]:
    return {**context, "stretch": stretch.header().hex()}
