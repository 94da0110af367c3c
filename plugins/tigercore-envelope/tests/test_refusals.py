"""What the operator is told to do about a key that does not open: what the root says, if it could not do its part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final
from uuid import UUID

import pytest
from pyrage import x25519

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeySlot, KeyState, WrappedKey
from tigercore.testing.clock import driver_context
from tigercore_envelope import Kek, RecoveryCipher, Root, UnwrapFailed
from tigercore_envelope.recipient import Recipient

_DISABLED = KeyUnavailable("the root is disabled: enable it")
_DENIED = KeyUnavailable("access denied: allow it")
_NOT_HERE = UnwrapFailed("not wrapped here")
_BACKUP = "; restore the key ring from a backup"
_OTHER = "; give the root that made the ring"
_KEK = Kek(1, bytes(32))


@final
class ScriptedRoot(Root):
    """A root that answers to each slot what the script says."""

    def __init__(self, *script: KeyUnavailable | bytes) -> None:
        self._script = [*script]

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        return b""

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        answer = self._script.pop(0)
        if isinstance(answer, KeyUnavailable):
            raise answer
        return answer

    def identity(self) -> str:
        return "here"


async def _refused(root: Root, *names: str) -> str:
    slots = tuple(KeySlot(name, b"") for name in names)
    ring = KeyRing(UUID(int=5), 1, (WrappedKey(1, KeyState.ACTIVE, _KEK.check(), slots),))
    with pytest.raises(KeyUnavailable) as caught:
        await RecoveryCipher(None, driver_context(), root).unlock(ring)
    return str(caught.value)


@pytest.mark.parametrize("name", ["here", "there"])
async def test_a_root_that_cannot_do_its_part_gives_its_own_remedy_alone(name: str) -> None:
    said = await _refused(ScriptedRoot(_DISABLED), name)
    start = f"key 1 of the ring, wrapped by {name}, does not open with here: "
    assert start + "the root is disabled: enable it" == said


@pytest.mark.parametrize("answer", [_NOT_HERE, bytes(31), b"\1" * 32])
async def test_a_root_that_finds_its_own_slot_changed_asks_for_a_backup(answer: KeyUnavailable | bytes) -> None:
    assert (await _refused(ScriptedRoot(answer), "here")).endswith(_BACKUP)


@pytest.mark.parametrize("answer", [_NOT_HERE, bytes(31), b"\1" * 32])
async def test_a_root_that_wrapped_nothing_in_the_ring_asks_for_the_other(answer: KeyUnavailable | bytes) -> None:
    assert (await _refused(ScriptedRoot(answer), "there")).endswith(_OTHER)


async def test_a_key_without_any_slot_asks_for_a_backup() -> None:
    start = "key 1 of the ring, wrapped by nobody, does not open with here: "
    assert f"{start}nothing is left of it{_BACKUP}" == await _refused(ScriptedRoot())


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ((_NOT_HERE, _DISABLED), str(_DISABLED)),
        ((b"\1" * 32, _DISABLED), str(_DISABLED)),
        ((_DISABLED, _NOT_HERE), str(_DISABLED)),
        ((_DISABLED, _DENIED), str(_DISABLED)),
        ((_NOT_HERE, UnwrapFailed("nor this")), str(_NOT_HERE) + _BACKUP),
    ],
)
async def test_of_several_refusals_the_first_of_a_root_that_could_not_do_its_part_is_told(
    script: tuple[KeyUnavailable | bytes, ...], told: str
) -> None:
    assert (await _refused(ScriptedRoot(*script), "here", "there")).endswith(f"here: {told}")


async def test_a_recipient_without_its_identity_asks_for_nothing_else() -> None:
    root = Recipient(str(x25519.Identity.generate().to_public()))
    assert (await _refused(root, root.identity())).endswith("only seals here: give its identity file")


async def test_an_identity_that_does_not_open_its_own_slot_asks_for_a_backup() -> None:
    identity = x25519.Identity.generate()
    root = Recipient(str(identity.to_public()), identity)
    assert (await _refused(root, root.identity())).endswith(f"not sealed for this recovery key, or changed{_BACKUP}")
