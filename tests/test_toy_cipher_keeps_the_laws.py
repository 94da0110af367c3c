from __future__ import annotations

from typing import Any

import pytest

from tigercore.ports import Cipher
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.cipher import CipherContract


class TestToyCipherKeepsTheLaws(CipherContract):
    @pytest.fixture
    def cipher_type(self) -> type[Cipher]:
        return ToyCipher

    @pytest.fixture
    def options(self) -> Any:
        return ToyOptions()

    @pytest.fixture
    def other_options(self) -> Any:
        return ToyOptions(root="another")

    @pytest.fixture
    def unusable_options(self) -> Any:
        return ToyOptions(root="")
