"""A key ring as a text that can be kept elsewhere. It is wrapped: only one of its roots opens it."""

from __future__ import annotations

import base64
import json
from typing import Any, Final
from uuid import UUID

import cattrs
from cattrs.preconf.json import make_converter

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing

_FORMAT: Final = "tigercore.keyring.1"
_LARGEST: Final = 2**62
_NOT_ONE: Final = "not a key ring as `tigercore cipher export` writes it, or damaged: give another copy"


def dump(ring: KeyRing) -> str:
    """Return the ring as JSON."""
    return json.dumps({"format": _FORMAT, "ring": converter.unstructure(ring)}, indent=1) + "\n"


def parse(text: str) -> KeyRing:
    """Return the ring that `dump` was given.

    :raises KeyUnavailable: this is no such text. Whether the ring is sound shows when it is unlocked.
    """
    try:
        document = json.loads(text)
        if document["format"] == _FORMAT:
            return _checked(converter.structure(document["ring"], KeyRing))
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError, cattrs.BaseValidationError):
        pass  # what Python says of it would not help
    raise KeyUnavailable(_NOT_ONE)


def _checked(ring: KeyRing) -> KeyRing:
    """Return the ring if every value can be one.

    :raises ValueError: one cannot.
    """
    versions = [ring.active, *(key.version for key in ring.keys)]
    numbers = [*versions, ring.min_decrypt, ring.epoch, ring.version]
    zones = [key.created_at.utcoffset() for key in ring.keys if key.created_at is not None]
    if not all(0 <= number <= _LARGEST for number in numbers) or 0 in versions or None in zones:
        raise ValueError
    for text in (*ring.recovery, *(slot.provider for key in ring.keys for slot in key.slots)):
        text.encode()  # a lone surrogate is no text
    return ring


def _bytes(text: Any, _: type) -> bytes:
    return base64.b64decode(text, validate=True)


converter = make_converter(forbid_extra_keys=True)
converter.register_unstructure_hook(bytes, lambda blob: base64.b64encode(blob).decode())
converter.register_structure_hook(bytes, _bytes)
converter.register_unstructure_hook(UUID, str)
converter.register_structure_hook(UUID, lambda text, _: UUID(text))
