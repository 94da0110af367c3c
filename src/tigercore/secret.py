"""A value that may be used but never shown."""

from __future__ import annotations

import hmac
from typing import Any, NoReturn, final

__all__ = ["Secret"]


@final
class Secret:
    """Hold a secret text; `reveal()` is the one way out.

    It has no `str`, no `repr` of its content, no format, no pickle, no copy, no length and no JSON.
    Equality takes the same time wherever two secrets differ.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError("a Secret holds text")
        self.__value = value

    def reveal(self) -> str:
        """Return the secret text; keep it in a local name, and for as short a time as can be."""
        return self.__value

    def __repr__(self) -> str:
        return "<Secret>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "<Secret>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.reveal().encode())

    def __bool__(self) -> bool:
        return bool(self.__value)

    __hash__ = None  # type: ignore[assignment]  # a secret is no dictionary key: its hash would be stored

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied; reveal() it where it is used")

    def __copy__(self) -> NoReturn:
        self.__reduce_ex__(None)

    def __deepcopy__(self, memo: Any) -> NoReturn:
        self.__reduce_ex__(None)
