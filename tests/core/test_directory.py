"""The accounts in memory: whoever was written last is there, and an answer that is remembered is never out of date."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore import AccountNotFoundError, AccountStatus, License
from tigercore._directory import Directory
from tigercore._eligibility import Eligibility
from tigercore.model import Environment
from tigercore.ports import AccountRow
from tigercore.testing._store_samples import account_row, at_version

ANY = Eligibility()
ids = st.integers(1, 4).map(lambda number: UUID(int=number))
changes = st.fixed_dictionaries(
    {
        "status": st.sampled_from([AccountStatus.ACTIVE, AccountStatus.SUSPENDED]),
        "license": st.sampled_from([License.TBHK, License.TBSG]),
        "developer": st.sampled_from(["one", "other"]),
    }
)
deeds = st.lists(st.tuples(ids, st.integers(1, 3), st.none() | changes), max_size=20)


def row(**fields: Any) -> AccountRow:
    return at_version(account_row(**fields), 1)


def filled(*rows: AccountRow) -> Directory:
    directory = Directory()
    for each in rows:
        directory.keep(each)
    return directory


def eligible(directory: Directory, wanted: Eligibility = ANY, *resting: UUID) -> list[UUID]:
    return [candidate.account.id for candidate in directory.eligible(wanted, frozenset(resting))]


@given(deeds)
def test_after_any_deeds_it_answers_as_one_that_was_filled_with_what_is_left(
    deeds: list[tuple[UUID, int, dict[str, Any] | None]],
) -> None:
    directory, left = Directory(), dict[UUID, AccountRow]()
    wishes = [ANY, *(Eligibility(license=license) for license in (License.TBHK, License.TBSG))]
    for account_id, version, change in deeds:
        if change is None:
            directory.drop(account_id)
            left.pop(account_id, None)
        else:
            written = at_version(account_row(id=account_id, account_number=str(account_id), **change), version)
            directory.keep(written)
            if account_id not in left or left[account_id].version < version:
                left[account_id] = written
        anew = filled(*left.values())
        assert dict(anew.rows) == dict(directory.rows)
        assert [eligible(anew, wanted) for wanted in wishes] == [eligible(directory, wanted) for wanted in wishes]
        for each in left.values():
            assert set(anew.of(each.account.developer)) == set(directory.of(each.account.developer))


def test_an_account_that_is_not_there_is_told_by_its_id() -> None:
    nobody = uuid4()
    with pytest.raises(AccountNotFoundError, match=str(nobody)):
        Directory().row(nobody)


def test_a_row_that_was_read_before_the_one_that_is_here_changes_nothing() -> None:
    newer = at_version(before := row(), 3, weight=2.0)
    directory = filled(newer, before)
    assert newer == directory.row(before.id)
    assert newer.account == directory.candidate(before.id).account


def test_another_row_of_the_same_version_changes_nothing() -> None:
    first = row()
    assert first == filled(first, attrs.evolve(first, sealed=b"another")).row(first.id)


def test_an_account_is_found_by_its_number_of_now_and_not_by_that_of_before() -> None:
    before = row(account_number="10000001")
    directory = filled(before, at_version(before, 2, account_number="10000002"))
    found = [directory.numbered(number) for number in ("10000001", "10000002")]
    assert [None, before.id] == [account and account.id for account in found]


def test_a_number_that_another_account_took_over_stays_its_own() -> None:
    leaves, comes = row(account_number="10000001"), row(account_number="10000002")
    directory = filled(leaves, comes, at_version(comes, 2, account_number="10000001"))
    directory.keep(at_version(leaves, 2, account_number="10000003"))
    account = directory.numbered("10000001")
    assert comes.id == (account and account.id)


def test_an_account_that_changed_developer_has_left_its_siblings() -> None:
    stays, goes = row(developer="one"), row(developer="one")
    directory = filled(stays, goes, at_version(goes, 2, developer="other"))
    assert [stays.id] == list(directory.of(stays.account.developer))
    assert [goes.id] == list(directory.of(directory.row(goes.id).account.developer))


def test_an_account_keeps_its_statistics_when_it_is_written() -> None:
    before = row()
    directory = filled(before)
    candidate = directory.candidate(before.id)
    directory.keep(at_version(before, 2, weight=5.0))
    assert candidate is directory.candidate(before.id)
    assert 5.0 == candidate.account.weight


def test_nothing_is_left_of_an_account_that_was_dropped() -> None:
    stays, goes = row(developer="one"), row(developer="one", is_default_data=True)
    directory = filled(stays, goes)
    assert directory.default("is_default_data") is directory.candidate(goes.id)
    directory.drop(goes.id)
    assert [stays.id] == eligible(directory) == list(directory.rows) == list(directory.of(stays.account.developer))
    assert (None, None) == (directory.numbered(goes.account.account_number), directory.default("is_default_data"))


def test_dropping_an_account_that_is_not_here_is_no_error() -> None:
    directory = filled(one := row())
    directory.drop(uuid4())
    assert [one.id] == eligible(directory)


def test_the_same_tuple_is_returned_until_an_account_changes() -> None:
    directory = filled(one := row())
    before = directory.eligible(ANY)
    assert before is directory.eligible(ANY)
    directory.keep(at_version(one, 2, status=AccountStatus.SUSPENDED))
    assert () == directory.eligible(ANY)


def test_a_change_that_routing_does_not_ask_about_leaves_the_tuple_as_it_is() -> None:
    directory = filled(one := row())
    before = directory.eligible(ANY)
    directory.keep(at_version(one, 2, error_count=7))
    assert before is directory.eligible(ANY)
    assert [7] == [candidate.account.error_count for candidate in before]


def test_who_rests_is_left_out_until_it_rests_no_more() -> None:
    directory = filled(one := row(), other := row())
    assert [[one.id], [one.id, other.id]] == [eligible(directory, ANY, other.id), eligible(directory)]


def test_an_account_that_is_named_is_returned_though_it_rests() -> None:
    directory = filled(one := row(), row())
    assert [one.id] == eligible(directory, Eligibility(id=one.id), one.id)


def test_an_account_that_is_named_must_fit_all_the_same() -> None:
    directory = filled(one := row(status=AccountStatus.SUSPENDED))
    assert [] == eligible(directory, Eligibility(id=one.id))
    assert [] == eligible(directory, Eligibility(id=uuid4()))


def test_the_kinds_of_account_count_those_that_are_suspended_too() -> None:
    live = row(environment=Environment.PRODUCTION)
    directory = filled(live, row(environment=Environment.SANDBOX, status=AccountStatus.SUSPENDED))
    both = {(False, Environment.PRODUCTION), (False, Environment.SANDBOX)}
    assert both == directory.kinds(ANY)
    directory.drop(live.id)
    assert {(False, Environment.SANDBOX)} == directory.kinds(ANY)


def test_more_wishes_than_are_remembered_are_answered_all_the_same() -> None:
    directory = filled(one := row(), other := row())
    rested = [frozenset({UUID(int=number), other.id}) for number in range(1_000)]
    assert {(one.id,)} == {tuple(eligible(directory, ANY, *resting)) for resting in rested}
    assert len(directory._eligible) <= 257
