"""The format of a backup: a line with the wrapped key ring, sealed chunks, a checksum; docs/moving.md has each byte."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final, final
from uuid import UUID

import cattrs

from tigercore import _ringfile as ringfile
from tigercore._dump import Entry, Inventory
from tigercore.errors import BackupUnusable, DecryptionFailed, KeyUnavailable
from tigercore.model import AuditEntry, KeyRing
from tigercore.ports import AccountRow, Cipher, TokenAttempt, TokenRow

_FAMILY: Final = "tigercore.backup."
_FORMAT: Final = "tigercore.backup.1"
_LONGEST_HEAD: Final = 1 << 24
_CHUNK: Final = 1 << 20  # bytes of text, unless one line alone is longer
_LENGTH: Final = 4  # bytes before each chunk
_CHECKSUM: Final = 32  # bytes at the end
_KINDS: Final[dict[str, type[Any]]] = {
    "account": AccountRow,
    "token": TokenRow,
    "attempt": TokenAttempt,
    "audit": AuditEntry,
    "counts": Inventory,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


@final
class ArchiveWriter:
    """Write a backup to a stream. `cipher` has unlocked `ring`."""

    def __init__(self, stream: BinaryIO, cipher: Cipher, backup: UUID, ring: KeyRing) -> None:
        self._stream = stream
        self._cipher = cipher
        self._whole = hashlib.sha256()
        self._text = bytearray()
        self._number = 0
        self._held = Inventory()
        head = {"format": _FORMAT, "id": str(backup), "ring": json.loads(ringfile.dump(ring))}
        self._head = _line(head)
        self._write(self._head)

    def add(self, entries: Sequence[Entry]) -> Inventory:
        """Add entries behind those that are there, and return how many there are now."""
        for entry in entries:
            self._add(entry)
        self._held += Inventory.of(entries)
        return self._held

    def finish(self) -> Inventory:
        """End the file, and return how much it holds."""
        self._seal(last=False)
        self._add(self._held)
        self._seal(last=True)
        self._stream.write(self._whole.digest())
        return self._held

    def _add(self, value: Entry | Inventory) -> None:
        line = _line({_NAMES[type(value)]: ringfile.converter.unstructure(value)})
        if len(self._text) + len(line) > _CHUNK:
            self._seal(last=False)
        self._text += line

    def _seal(self, *, last: bool) -> None:
        if self._text:
            context = _context(self._head, self._number, last=last)
            sealed = self._cipher.encrypt(zlib.compress(self._text), context=context)
            self._write(len(sealed).to_bytes(_LENGTH, "big") + sealed)
            self._text.clear()
            self._number += 1

    def _write(self, data: bytes) -> None:
        self._whole.update(data)
        self._stream.write(data)


@final
class Archive:
    """A backup in a stream that can seek.

    Making one reads the whole of it, and shows without any key whether it was damaged. Whether `ring` is the one that
    was written shows when it is unlocked.

    :raises BackupUnusable: it is no backup, it was damaged, or a newer program wrote it.
    :raises KeyUnavailable: its key ring cannot be one.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._head = stream.readline(_LONGEST_HEAD)
        document = _document(self._head, name)
        self._end = stream.seek(0, os.SEEK_END) - _CHECKSUM
        self._require_whole()
        self.id = UUID(document["id"])
        self.ring = ringfile.parse(json.dumps(document.get("ring")))

    def pages(self, cipher: Cipher) -> Iterator[list[Entry]]:
        """Yield what it holds, chunk by chunk. `cipher` has unlocked its ring.

        :raises BackupUnusable: something in it was changed, left out, moved or put in.
        """
        found = Inventory()
        for number, (sealed, last) in enumerate(self._chunks()):
            values = self._values(self._opened(cipher, sealed, number, last=last))
            entries = [value for value in values if not isinstance(value, Inventory)]
            found += Inventory.of(entries)
            if last != (values == [found]):
                raise self._changed(number)
            yield entries

    def _require_whole(self) -> None:
        whole, left = hashlib.sha256(), self._end
        self._stream.seek(0)
        while left > 0 and (block := self._stream.read(min(left, _CHUNK))):
            whole.update(block)
            left -= len(block)
        if left or self._stream.read() != whole.digest() or self._end <= len(self._head):
            raise BackupUnusable(f"{self._name} is damaged, its checksum does not fit: give another copy of it")

    def _chunks(self) -> Iterator[tuple[bytes, bool]]:
        at = len(self._head)
        while at < self._end:
            self._stream.seek(at)
            size = int.from_bytes(self._stream.read(_LENGTH), "big")
            sealed = self._stream.read(min(size, self._end - at))
            at += _LENGTH + size
            yield sealed, at == self._end

    def _opened(self, cipher: Cipher, sealed: bytes, number: int, *, last: bool) -> bytes:
        try:
            return zlib.decompress(cipher.decrypt(sealed, context=_context(self._head, number, last=last)))
        except (DecryptionFailed, KeyUnavailable):
            raise self._changed(number) from None

    def _values(self, text: bytes) -> list[Entry | Inventory]:
        try:
            return [_value(line) for line in text.splitlines()]
        except (ValueError, TypeError, LookupError, cattrs.BaseValidationError):
            raise BackupUnusable(f"{self._name} holds what this program does not know: use a newer one") from None

    def _changed(self, number: int) -> BackupUnusable:
        return BackupUnusable(
            f"{self._name}: chunk {number} is not the one that was written there, somebody has changed the file: give "
            "another copy of it"
        )


def _document(head: bytes, name: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(head)
        found = document["format"]
        if found == _FORMAT:
            UUID(document["id"])
            return document
        is_newer = found.startswith(_FAMILY)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        is_newer = False
    if is_newer:
        raise BackupUnusable(f"{name} was written by a newer tigercore: restore it with that one")
    raise BackupUnusable(f"{name} is no backup as `tigercore backup` writes it: name one")


def _value(line: bytes) -> Entry | Inventory:
    [(name, value)] = json.loads(line).items()
    found: Entry | Inventory = ringfile.converter.structure(value, _KINDS[name])
    return found


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _context(head: bytes, number: int, *, last: bool) -> bytes:
    """Bind a chunk to its place: this backup with this ring, behind so many others, the last one or not."""
    return b"".join((_FORMAT.encode(), b"\0", hashlib.sha256(head).digest(), number.to_bytes(8, "big"), bytes([last])))
