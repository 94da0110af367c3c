"""The laws of a cipher.

Subclass `CipherContract` in a test module and override its fixtures; pytest collects the laws::

    class TestMyCipherKeepsTheLaws(CipherContract):
        @pytest.fixture
        def cipher_type(self): ...                 # the driver
        @pytest.fixture
        def options(self, tmp_path): ...           # of a root that `create_root` makes or finds
        @pytest.fixture
        def other_options(self, tmp_path): ...     # of another root of the same kind
        @pytest.fixture
        def unusable_options(self): ...            # of a root that is not there and cannot be made

Nothing is assumed of how many slots a root makes, or of the names that it gives them.
"""

from __future__ import annotations

from tigercore.testing._cipher_hash_laws import HashKeyLaws, HashLaws
from tigercore.testing._cipher_lifetime_laws import LifetimeLaws
from tigercore.testing._cipher_message_laws import MessageLaws
from tigercore.testing._cipher_ring_laws import GrowthLaws, KeyLaws, SlotLaws
from tigercore.testing._cipher_root_laws import RootLaws, ShareLaws
from tigercore.testing._cipher_tamper_laws import RefusalLaws, TamperLaws


class CipherContract(
    MessageLaws,
    KeyLaws,
    GrowthLaws,
    SlotLaws,
    LifetimeLaws,
    RefusalLaws,
    TamperLaws,
    HashLaws,
    HashKeyLaws,
    RootLaws,
    ShareLaws,
):
    """Every sentence of the port `Cipher`, as a law."""
