"""The laws of an account store.

Subclass `AccountStoreContract` in a test module and override its fixtures; pytest collects the laws::

    class TestMyStoreKeepsTheLaws(AccountStoreContract):
        @pytest.fixture
        def store_maker(self, tmp_path): ...       # () -> async context manager of a store, on one backend
        @pytest.fixture
        def break_backend(self, ...): ...          # () -> None: from now on the backend is unreachable

A store that outlives its process subclasses `DurableStoreContract` instead, and overrides one fixture more::

        @pytest.fixture
        def raw_bytes(self, ...): ...              # () -> bytes: all that lies at rest
"""

from __future__ import annotations

from tigercore.testing._memory_store import MemoryAccountStore as MemoryAccountStore
from tigercore.testing._memory_store import MemoryBackend as MemoryBackend
from tigercore.testing._memory_store import MemoryOptions as MemoryOptions
from tigercore.testing._store_cancel_laws import CancelLaws
from tigercore.testing._store_claim_laws import ClaimLaws
from tigercore.testing._store_clock_laws import ClockLaws
from tigercore.testing._store_delta_laws import DeltaLaws, MomentLaws, RemovedLaws
from tigercore.testing._store_feed_laws import FeedLaws
from tigercore.testing._store_floor_laws import FloorLaws
from tigercore.testing._store_laws import StoreMaker as StoreMaker
from tigercore.testing._store_log_laws import LogLaws
from tigercore.testing._store_purge_laws import PurgeLaws
from tigercore.testing._store_record_laws import RecordLaws
from tigercore.testing._store_ring_laws import RingLaws
from tigercore.testing._store_row_laws import RowLaws
from tigercore.testing._store_safety_laws import AtRestLaws, SafetyLaws
from tigercore.testing._store_statistics_laws import StatisticsLaws


class AccountStoreContract(
    RowLaws,
    RingLaws,
    FloorLaws,
    PurgeLaws,
    LogLaws,
    RecordLaws,
    StatisticsLaws,
    ClaimLaws,
    ClockLaws,
    FeedLaws,
    DeltaLaws,
    RemovedLaws,
    MomentLaws,
    CancelLaws,
    SafetyLaws,
):
    """Every sentence of the port `AccountStore`, as a law."""


class DurableStoreContract(AccountStoreContract, AtRestLaws):
    """The laws of a store that outlives its process."""
