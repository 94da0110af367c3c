"""The rules of a token's life: what is to be done about it, when, and what its rows become."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore import _refresh as rules
from tigercore._refresh import Step
from tigercore.model import Secret, Token, TokenState
from tigercore.ports import TokenRow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
FIRST, OTHER = UUID(int=1), UUID(int=2)

VALID = TokenRow(FIRST, TokenState.VALID, sealed=b"token", issued_at=NOW, expires_at=NOW + 15 * DAY, next_at=NOW + DAY)
LEASED = attrs.evolve(VALID, state=TokenState.REFRESHING, owner="we", lease_until=NOW + SECOND)
LAPSED = attrs.evolve(LEASED, lease_until=NOW)
SETTLING = attrs.evolve(VALID, state=TokenState.UNCERTAIN, next_at=NOW + SECOND)
SETTLED = attrs.evolve(SETTLING, next_at=NOW)
DEAD = attrs.evolve(VALID, state=TokenState.NEEDS_REAUTH, next_at=None)
DISABLED = attrs.evolve(VALID, state=TokenState.DISABLED, next_at=None)

ids, shares, jitters = st.uuids(), st.floats(0.1, 0.9), st.floats(0, 1)
rows = st.sampled_from([VALID, LEASED, LAPSED, SETTLING, SETTLED, DEAD])


def token(issued: datetime | None = NOW, life: timedelta | None = 15 * DAY) -> Token:
    return Token(Secret("value"), issued, None if life is None else (issued or NOW) + life)


def sibling(row: TokenRow) -> TokenRow:
    return attrs.evolve(row, id=OTHER, next_at=None)


# -- what is to be done ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "row"),
    [
        (Step.REFRESH, VALID),
        (Step.WAIT, LEASED),
        (Step.DOUBT, LAPSED),
        (Step.WAIT, SETTLING),
        (Step.PROBE, SETTLED),
        (Step.PROBE, DEAD),
        (Step.REFRESH, DISABLED),
    ],
)
def test_each_row_calls_for_one_step(step: Step, row: TokenRow) -> None:
    assert step is rules.next_step([row], NOW)


@given(rows)
def test_a_lease_of_any_sibling_lets_all_wait(row: TokenRow) -> None:
    assert Step.WAIT is rules.next_step([row, sibling(LEASED)], NOW)


def test_who_has_claimed_a_row_may_refresh_it() -> None:
    assert Step.REFRESH is rules.next_step([LEASED], NOW, "we")


def test_who_has_claimed_a_row_waits_for_a_sibling_that_another_has() -> None:
    assert Step.WAIT is rules.next_step([LEASED, attrs.evolve(sibling(LEASED), owner="they")], NOW, "we")


@pytest.mark.parametrize(("expected", "row"), [(True, LEASED), (False, LAPSED), (False, VALID)])
def test_a_lease_holds_until_its_moment(expected: bool, row: TokenRow) -> None:
    assert expected is rules.is_leased(row, NOW)


@pytest.mark.parametrize(("expected", "row"), [(True, SETTLING), (False, SETTLED), (False, VALID)])
def test_a_doubt_settles_until_its_moment(expected: bool, row: TokenRow) -> None:
    assert expected is rules.is_settling([row, sibling(SETTLED)], NOW)


@pytest.mark.parametrize(
    ("expected", "row"), [(True, LAPSED), (True, SETTLING), (True, SETTLED), (False, LEASED), (False, VALID)]
)
def test_a_lease_that_is_over_is_a_doubt(expected: bool, row: TokenRow) -> None:
    assert expected is rules.is_in_doubt(row, NOW)


@pytest.mark.parametrize(("expected", "at"), [(False, NOW + DAY - SECOND), (True, NOW + DAY)])
def test_a_valid_token_falls_due_at_its_moment(expected: bool, at: datetime) -> None:
    assert expected is rules.is_due(VALID, at)


@pytest.mark.parametrize("row", [LAPSED, SETTLED, DEAD, DISABLED, sibling(VALID)])
def test_no_other_row_falls_due(row: TokenRow) -> None:
    assert rules.is_due(row, NOW + 2 * DAY) is False


def test_a_family_falls_due_at_the_last_moment_that_one_of_it_bears() -> None:
    assert NOW + DAY == rules.next_at([sibling(VALID), VALID, attrs.evolve(VALID, next_at=NOW)])
    assert rules.next_at([sibling(VALID)]) is None


@pytest.mark.parametrize(
    ("expected", "row"),
    [(NOW + DAY, VALID), (NOW + SECOND, LEASED), (NOW + SECOND, SETTLING), (None, DEAD), (None, DISABLED)],
)
def test_a_row_is_looked_at_when_somebody_could_do_something(expected: datetime | None, row: TokenRow) -> None:
    assert expected == rules.look_at(row)


def test_the_least_id_that_is_in_use_leads() -> None:
    assert FIRST == rules.leader([sibling(VALID), VALID])
    assert OTHER == rules.leader([sibling(VALID), DISABLED])
    assert rules.leader([DISABLED]) is None


# -- a token's age ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("expected", "at"), [(False, NOW + 15 * DAY - SECOND), (True, NOW + 15 * DAY)])
def test_a_token_has_expired_at_its_end(expected: bool, at: datetime) -> None:
    assert expected is rules.has_expired(VALID, at)


def test_a_token_without_an_end_never_expires_nor_falls_due() -> None:
    assert rules.due_at(FIRST, token(life=None), NOW, 0.5) is None
    endless = attrs.evolve(VALID, expires_at=None)
    assert (False, False) == (rules.has_expired(endless, NOW + 9999 * DAY), rules.is_last_call(endless, NOW))


@pytest.mark.parametrize(("life", "left"), [(15 * DAY, timedelta(hours=6)), (timedelta(hours=10), timedelta(hours=1))])
def test_the_last_call_is_six_hours_before_the_end_or_the_last_tenth(life: timedelta, left: timedelta) -> None:
    row = attrs.evolve(VALID, expires_at=NOW + life)
    assert rules.is_last_call(row, NOW + life - left)
    assert not rules.is_last_call(row, NOW + life - left - SECOND)


def test_the_row_whose_token_was_issued_last_is_the_newest() -> None:
    newer = attrs.evolve(sibling(VALID), issued_at=NOW + SECOND)
    assert newer == rules.newest([newer, VALID])
    assert newer == rules.newest([VALID, newer])


def test_a_row_without_a_token_or_out_of_use_is_not_the_newest() -> None:
    empty, disabled = (attrs.evolve(each, issued_at=NOW + DAY) for each in (attrs.evolve(VALID, sealed=None), DISABLED))
    assert VALID == rules.newest([empty, VALID, disabled])
    assert rules.newest([empty, disabled]) is None


@pytest.mark.parametrize(("expected", "age"), [(True, SECOND), (False, 0 * SECOND), (False, -SECOND)])
def test_a_token_is_newer_if_it_was_issued_after(expected: bool, age: timedelta) -> None:
    assert expected is rules.is_newer(token(NOW + age), VALID)


def test_any_dated_token_is_newer_than_one_without_a_date() -> None:
    assert rules.is_newer(token(), attrs.evolve(VALID, issued_at=None))
    assert not rules.is_newer(token(None), attrs.evolve(VALID, issued_at=None))
    assert not rules.is_newer(None, VALID)


@pytest.mark.parametrize(("expected", "age"), [(True, SECOND), (True, 0 * SECOND), (False, -SECOND)])
@pytest.mark.parametrize("row", [VALID, LEASED, LAPSED, SETTLING, SETTLED, DEAD])
def test_a_row_in_any_state_takes_a_token_unless_it_is_ahead(expected: bool, age: timedelta, row: TokenRow) -> None:
    assert expected is rules.takes(row, token(NOW + age))


def test_a_row_out_of_use_takes_no_token() -> None:
    assert not rules.takes(DISABLED, token(NOW + DAY))


@given(ids, shares, st.timedeltas(timedelta(hours=2), 60 * DAY))
def test_a_token_falls_due_within_a_tenth_of_its_share(account: UUID, share: float, life: timedelta) -> None:
    due = rules.due_at(account, token(life=life), NOW, share)
    assert due is not None
    latest = life - 300 * SECOND
    assert min(life * share * 0.9, latest) - SECOND <= due - NOW <= min(life * share * 1.1, latest) + SECOND


def test_a_token_falls_due_at_the_latest_300_s_before_its_end() -> None:
    assert NOW + 300 * SECOND == rules.due_at(FIRST, token(life=600 * SECOND), NOW, 0.9)


@given(ids, st.timedeltas(SECOND, 300 * SECOND))
def test_a_token_that_lives_for_minutes_falls_due_while_it_lives(account: UUID, life: timedelta) -> None:
    due = rules.due_at(account, token(life=life), NOW, 0.5)
    assert due is not None
    assert NOW < due < NOW + life


def test_accounts_fall_due_apart() -> None:
    due = {rules.due_at(UUID(int=number), token(), NOW, 0.5) for number in range(100)}
    assert 100 == len(due)


def test_when_a_token_falls_due_is_counted_from_its_date_or_from_now() -> None:
    now = NOW + DAY
    dated, undated = (
        rules.due_at(FIRST, Token(Secret("value"), born, NOW + 15 * DAY), now, 0.5) for born in (NOW, None)
    )
    expected = rules.due_at(FIRST, token(), NOW, 0.5), rules.due_at(FIRST, token(now, 14 * DAY), now, 0.5)
    assert expected == (dated, undated)


@pytest.mark.parametrize(("seconds", "failures"), [(30, 0), (60, 1), (1920, 6), (3600, 7), (3600, 10_000)])
def test_the_longest_wait_doubles_up_to_an_hour(seconds: int, failures: int) -> None:
    assert seconds * SECOND == rules.back_off(failures, 1.0)


def test_a_wait_is_its_part_of_the_longest() -> None:
    assert 60 * SECOND == rules.back_off(2, 0.5)


@given(st.integers(0, 50), jitters, st.floats(0, 86_400))
def test_a_wait_is_at_least_as_long_as_was_asked_for(failures: int, jitter: float, at_least: float) -> None:
    wait = rules.back_off(failures, jitter, at_least)
    longest = rules.back_off(failures, 1.0)
    assert timedelta(seconds=max(at_least, 1.0)) <= wait <= max(longest, timedelta(seconds=at_least))


# -- what rows become ------------------------------------------------------------------------------------------


def test_a_lease_is_on_every_row_but_those_out_of_use() -> None:
    leased = rules.leased([VALID, attrs.evolve(DISABLED, id=UUID(int=3)), sibling(VALID)], "they", NOW + SECOND)
    assert [(FIRST, "they"), (OTHER, "they")] == [(row.id, row.owner) for row in leased]
    assert {(TokenState.REFRESHING, NOW + SECOND)} == {(row.state, row.lease_until) for row in leased}


def test_of_released_rows_the_leader_alone_bears_the_moment() -> None:
    released = rules.released([sibling(LEASED), LEASED], TokenState.VALID, NOW)
    assert [(OTHER, None), (FIRST, NOW)] == [(row.id, row.next_at) for row in released]
    assert {(TokenState.VALID, None, None)} == {(row.state, row.owner, row.lease_until) for row in released}


@given(rows)
def test_a_row_of_a_try_that_failed_is_released_and_counts_one_more(row: TokenRow) -> None:
    [released] = rules.released([row], TokenState.UNCERTAIN, NOW)
    assert [attrs.evolve(released, failures=1)] == rules.failed([row], TokenState.UNCERTAIN, NOW)


def test_a_doubt_settles_for_as_long_as_a_request_may_live() -> None:
    assert [attrs.evolve(SETTLING, next_at=NOW + 60 * SECOND)] == rules.in_doubt([LAPSED], NOW, 60 * SECOND)


def test_nothing_is_to_be_done_about_a_dead_token() -> None:
    assert [DEAD] == rules.dead([SETTLED])


@given(rows)
def test_a_row_of_any_state_is_valid_and_free_with_a_new_token(row: TokenRow) -> None:
    fresh = token(NOW + DAY)
    expected = attrs.evolve(VALID, issued_at=NOW + DAY, expires_at=NOW + 16 * DAY, next_at=NOW + 9 * DAY)
    assert expected == rules.renewed(attrs.evolve(row, failures=3), fresh, NOW + 9 * DAY, NOW)


def test_a_new_token_without_a_date_was_issued_now() -> None:
    assert NOW + SECOND == rules.renewed(VALID, token(None), None, NOW + SECOND).issued_at
