from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tigercore.ports import Cipher
from tigercore.testing.cipher import CipherContract
from tigercore_cipher_vault import VaultCipher, VaultOptions

Make = Callable[..., VaultOptions]


class TestACipherOnVaultKeepsTheLaws(CipherContract):
    @pytest.fixture
    def cipher_type(self) -> type[Cipher]:
        return VaultCipher

    @pytest.fixture
    def options(self, make_options: Make) -> Any:
        return make_options()

    @pytest.fixture
    def other_options(self, make_options: Make) -> Any:
        return make_options()

    @pytest.fixture
    def unusable_options(self, make_options: Make) -> Any:
        return make_options(mount="nothing")
