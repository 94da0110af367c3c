"""What is to be done when: whatever was put, taken and put again, the first moment comes first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tigercore._agenda import Agenda

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ids = st.integers(1, 5).map(lambda number: UUID(int=number))
moments = st.none() | st.integers(0, 20).map(lambda seconds: NOW + timedelta(seconds=seconds))
deeds = st.lists(st.tuples(st.sampled_from(["put", "take"]), ids, moments))


@given(deeds)
def test_the_first_is_whoever_comes_first_after_any_deeds(deeds: list[tuple[str, UUID, datetime | None]]) -> None:
    agenda, told = Agenda(), dict[UUID, float]()
    for deed, account_id, moment in deeds:
        if deed == "put" and moment is not None:
            agenda.put(account_id, moment)
            told[account_id] = moment.timestamp()
        else:
            agenda.put(account_id, None) if deed == "put" else agenda.take(account_id)
            told.pop(account_id, None)
        first = agenda.first()
        assert min(told.values(), default=None) == (first and first[1])
        assert first is None or told[first[0]] == first[1]
        assert len(told) == len(agenda)


def test_an_account_that_is_put_for_ever_does_not_fill_the_memory() -> None:
    agenda = Agenda()
    for seconds in range(10_000):
        agenda.put(UUID(int=1), NOW + timedelta(seconds=seconds))
    assert len(agenda._heap) < 2000
    assert (UUID(int=1), (NOW + timedelta(seconds=9_999)).timestamp()) == agenda.first()
