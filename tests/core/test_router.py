"""AccountRouter on fakes: who is chosen, what moves, and what is never sent again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import attrs
import pytest
import trio

from tests.conftest import World, add, given, paper
from tigercore import (
    AccountStatus,
    AccountType,
    ClientError,
    LoadBalanceStrategy,
    MarketPermission,
    NoAccountsAvailableError,
    NotProcessed,
    OperationNotSupportedError,
    OperationType,
    OperationVetoed,
    OrderOutcomeUnknown,
    OutcomeUnknown,
    PermissionDenied,
    Principal,
    RateLimited,
    Rejected,
    TigerAccount,
    Tigercore,
    TokenState,
    Unauthorized,
    hookimpl,
)
from tigercore._failover import may_try_again
from tigercore._plugins import Hooks
from tigercore.model import OperationClass
from tigercore.ports import Put
from tigercore.testing._gateway import token_text

QUOTE = OperationType.QUOTE


def called(world: World) -> list[str | None]:
    return [method if account is None else f"{method}@{account}" for account, method, _ in world.client.calls]


async def fail_first(world: World, error: ClientError, times: int = 1) -> None:
    world.client.fail(None, None, error, times)


# -- choosing ------------------------------------------------------------------------------------------------


async def test_only_active_accounts_are_chosen(tiger: Tigercore) -> None:
    await add(tiger, status="INACTIVE")
    active = await add(tiger)
    assert [active] == await tiger.router.get_available_accounts_for_operation(QUOTE)


@pytest.mark.parametrize(
    "wish",
    [
        {"market_permissions": [MarketPermission.HK_STOCK]},
        {"environment": "production"},
        {"account_type": AccountType.PRIME},
        {"license": "TBSG"},
    ],
    ids=lambda wish: next(iter(wish)),
)
async def test_each_filter_leaves_out_who_does_not_fit(tiger: Tigercore, wish: dict[str, Any]) -> None:
    await add(tiger, market_permissions=["US_STOCK"])
    fitting = await add(
        tiger,
        market_permissions=["US_STOCK", "HK_STOCK"],
        environment="production",
        account_type="PRIME",
        license="TBSG",
        server_url=None,
    )
    assert [fitting] == await tiger.router.get_available_accounts_for_operation(QUOTE, **wish)


async def test_nobody_fits_says_who_was_left_out_and_why(tiger: Tigercore) -> None:
    account = await add(tiger)
    with pytest.raises(NoAccountsAvailableError, match=f"{account.account_name}: lacks FUTURES"):
        await tiger.router.route_operation(QUOTE, market_permissions=[MarketPermission.FUTURES])


async def test_no_account_at_all_says_so(tiger: Tigercore) -> None:
    with pytest.raises(NoAccountsAvailableError, match="there is none"):
        await tiger.execute(QUOTE)


async def test_trading_tries_the_default_trading_account_first(tiger: Tigercore) -> None:
    await add(tiger)
    default = await add(tiger, is_default_trading=True)
    chosen = await tiger.router.route_trading_operation(
        OperationType.PLACE_ORDER, strategy=LoadBalanceStrategy.LEAST_USED
    )
    assert default.id == chosen.id


async def test_data_tries_the_default_data_account_first(tiger: Tigercore) -> None:
    await add(tiger)
    default = await add(tiger, is_default_data=True)
    assert default.id == (await tiger.router.route_data_operation(OperationType.MARKET_DATA)).id


async def test_a_default_that_does_not_fit_is_passed_over(tiger: Tigercore) -> None:
    await add(tiger, is_default_data=True)
    fitting = await add(tiger, market_permissions=["HK_STOCK"])
    chosen = await tiger.router.route_data_operation(QUOTE, market_permissions=[MarketPermission.HK_STOCK])
    assert fitting == chosen


async def test_trading_refuses_what_does_not_trade(tiger: Tigercore) -> None:
    with pytest.raises(OperationNotSupportedError, match="does not trade"):
        await tiger.router.route_trading_operation(QUOTE)


async def test_data_refuses_what_trades(tiger: Tigercore) -> None:
    with pytest.raises(OperationNotSupportedError, match="no market data"):
        await tiger.router.route_data_operation(OperationType.PLACE_ORDER)


async def test_an_account_with_a_dead_token_is_not_routed_to(tiger: Tigercore) -> None:
    await add(tiger, license="TBHK")
    living = await add(tiger)
    assert living == await tiger.router.route_operation(QUOTE)


async def test_an_unknown_strategy_says_which_are_loaded(tiger: Tigercore) -> None:
    await add(tiger)
    with pytest.raises(OperationNotSupportedError, match="loaded: fastest_response, least_used, random, round_robin"):
        await tiger.router.route_operation(QUOTE, strategy="astrology")


@pytest.mark.parametrize("wish", [{"environment": "moon"}, {"account_type": "GOLD"}, {"license": "XX"}])
async def test_a_word_that_is_none_of_the_vocabulary_says_which_are(tiger: Tigercore, wish: dict[str, Any]) -> None:
    with pytest.raises(OperationNotSupportedError, match="use one of"):
        await tiger.execute(QUOTE, **wish)


async def test_pick_gives_the_same_set_to_the_strategy_until_an_account_changes(world: World, tiger: Tigercore) -> None:
    seen = []
    account = await add(tiger)

    class Watching:
        def plan(self, operation: object, candidates: Any) -> Any:
            seen.append(candidates)
            return iter(candidates)

    world.balancers["round_robin"] = Watching()  # type: ignore[assignment]
    for _ in range(2):
        tiger.router.pick(QUOTE)
    await tiger.accounts.update_account(account.id, {"weight": 2})
    tiger.router.pick(QUOTE)
    assert seen[0] is seen[1] is not seen[2]


async def test_writes_of_another_process_are_followed(world: World, tiger: Tigercore) -> None:
    async with world.open() as other:
        account = await add(other)
    await trio.testing.wait_all_tasks_blocked()
    assert account == tiger.router.pick(QUOTE)


# -- the firewall --------------------------------------------------------------------------------------------


async def test_paper_and_live_together_are_refused_with_what_to_pass(tiger: Tigercore) -> None:
    await add(tiger)
    await tiger.accounts.create_account(**paper())
    with pytest.raises(NoAccountsAvailableError, match="Pass account=… or account_type=…"):
        await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"})


async def test_naming_the_environment_does_not_let_paper_and_live_mix(tiger: Tigercore) -> None:
    await add(tiger)
    await tiger.accounts.create_account(**paper())
    with pytest.raises(NoAccountsAvailableError, match="several kinds"):
        await tiger.execute(OperationType.PLACE_ORDER, {}, environment="sandbox")


async def test_naming_the_account_type_settles_it(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    account = await tiger.accounts.create_account(**paper())
    await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"}, account_type=AccountType.PAPER)
    assert [f"place_order@{account.account_number}"] == called(world)


async def test_an_order_never_moves_from_a_paper_default_to_a_live_account(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    default = await tiger.accounts.create_account(**paper(is_default_trading=True))
    world.client.fail(None, None, NotProcessed("place_order", "connection refused"), times=9)
    with pytest.raises(NotProcessed):
        await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"})
    assert [f"place_order@{default.account_number}"] == called(world)


@pytest.mark.parametrize(
    "unfit", [{"status": "SUSPENDED"}, {"market_permissions": []}], ids=["suspended", "unpermitted"]
)
async def test_an_order_does_not_go_live_because_the_paper_default_cannot_carry_it(
    world: World, tiger: Tigercore, unfit: dict[str, Any]
) -> None:
    await add(tiger, market_permissions=["US_STOCK"])
    await tiger.accounts.create_account(**paper(is_default_trading=True, **unfit))
    with pytest.raises(NoAccountsAvailableError):
        await tiger.execute(OperationType.PLACE_ORDER, {}, market_permissions=[MarketPermission.US_STOCK])
    assert [] == called(world)


async def test_a_suspended_paper_account_still_counts_as_a_kind_that_could_be_meant(
    world: World, tiger: Tigercore
) -> None:
    await add(tiger)
    await tiger.accounts.create_account(**paper(status="SUSPENDED"))
    with pytest.raises(NoAccountsAvailableError, match="several kinds"):
        await tiger.execute(OperationType.PLACE_ORDER, {})


async def test_sandbox_and_production_are_never_mixed_in_trading(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    await add(tiger, environment="production", server_url=None)
    with pytest.raises(NoAccountsAvailableError, match="several kinds"):
        await tiger.execute(OperationType.PLACE_ORDER, {})


async def test_the_accounts_that_are_available_for_an_order_are_of_one_kind(tiger: Tigercore) -> None:
    await add(tiger)
    default = await tiger.accounts.create_account(**paper(is_default_trading=True))
    available = await tiger.router.get_available_accounts_for_operation(OperationType.PLACE_ORDER)
    assert [default.id] == [account.id for account in available]


async def test_reads_may_come_from_either_kind(tiger: Tigercore) -> None:
    await add(tiger)
    await tiger.accounts.create_account(**paper())
    assert 2 == len(await tiger.router.get_available_accounts_for_operation(QUOTE))


# -- failover ------------------------------------------------------------------------------------------------

FAULTS = [
    NotProcessed("m", "connection refused"),
    RateLimited("m", "limit", retry_after=60),
    Unauthorized("m", "token invalid"),
    Rejected("m", "no", code=1010),
    OutcomeUnknown("m", "timeout"),
]


@pytest.mark.parametrize("safety", OperationClass)
@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_the_failover_table_is_what_the_errors_say(safety: OperationClass, error: ClientError) -> None:
    expected = isinstance(error, NotProcessed) or (isinstance(error, OutcomeUnknown) and safety.read_only)
    assert expected is may_try_again(error, safety)


async def test_market_data_moves_to_the_next_account(world: World, tiger: Tigercore) -> None:
    await add(tiger, tiger_id="1"), await add(tiger, tiger_id="2")
    world.client.answer("quote_real_time", ["a quote"])
    await fail_first(world, OutcomeUnknown("quote_real_time", "timeout"))
    assert ["a quote"] == await tiger.execute(QUOTE, {"symbols": ["AAPL"]})
    assert 2 == len(called(world))


async def test_account_data_never_moves_to_another_account(world: World, tiger: Tigercore) -> None:
    first = await add(tiger, is_default_trading=True)
    await add(tiger)
    world.client.answer("positions", {"items": []})
    await fail_first(world, OutcomeUnknown("positions", "timeout"))
    await tiger.execute(OperationType.POSITIONS)
    assert [f"positions@{first.account_number}"] * 2 == called(world)


async def test_a_rejection_is_raised_as_it_is(world: World, tiger: Tigercore) -> None:
    await add(tiger), await add(tiger)
    await fail_first(world, Rejected("quote_real_time", "symbols cannot be empty", code=1010))
    with pytest.raises(Rejected, match="code 1010"):
        await tiger.execute(QUOTE)
    assert 1 == len(called(world))


async def test_a_read_is_tried_again_no_more_often_than_the_settings_say(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    await fail_first(world, OutcomeUnknown("quote_real_time", "timeout"), times=9)
    with pytest.raises(OutcomeUnknown):
        await tiger.execute(QUOTE)
    assert 3 == len(called(world))


async def test_an_order_that_may_have_been_placed_is_sent_once_and_said_to_be_unknown(
    world: World, tiger: Tigercore
) -> None:
    account = await add(tiger)
    await add(tiger)
    await fail_first(world, OutcomeUnknown("place_order", "timeout"), times=9)
    with pytest.raises(OrderOutcomeUnknown, match="query the account") as caught:
        await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"})
    assert (account.account_number, "place_order") == (caught.value.account, caught.value.method)
    assert 1 == len(called(world))


async def test_an_order_that_was_not_processed_moves_on(world: World, tiger: Tigercore) -> None:
    one, two = await add(tiger), await add(tiger)
    await fail_first(world, NotProcessed("place_order", "connection refused"))
    await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"})
    assert [f"place_order@{a.account_number}" for a in (one, two)] == called(world)


async def test_an_order_whose_account_was_named_does_not_move(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    await add(tiger)
    await fail_first(world, NotProcessed("place_order", "connection refused"))
    with pytest.raises(NotProcessed):
        await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"}, account=account)
    assert 1 == len(called(world))


ONES_OWN = ["transfer_segment_fund", "a_method_of_tomorrow", "modify_order", "cancel_order", "order_no", "positions"]


@pytest.mark.parametrize("method", ONES_OWN)
async def test_what_belongs_to_one_account_is_refused_while_several_could_be_meant(
    world: World, tiger: Tigercore, method: str
) -> None:
    await add(tiger), await add(tiger)
    with pytest.raises(OperationNotSupportedError, match="pass account=…"):
        await tiger.execute(method, {})
    assert [] == called(world)


@pytest.mark.parametrize("method", ["transfer_segment_fund", "a_method_of_tomorrow", "modify_order", "cancel_order"])
async def test_what_belongs_to_one_account_is_sent_there_once(world: World, tiger: Tigercore, method: str) -> None:
    account = await add(tiger)
    await add(tiger)
    await fail_first(world, NotProcessed(method, "connection refused"), times=9)
    with pytest.raises(NotProcessed):
        await tiger.execute(method, {}, account=account)
    assert 1 == len(called(world))


async def test_an_order_with_a_number_of_its_account_needs_that_account(world: World, tiger: Tigercore) -> None:
    await add(tiger), await add(tiger)
    with pytest.raises(OperationNotSupportedError, match="pass account=…"):
        await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL", "order_id": 1169})


async def test_nobody_stands_in_for_the_default_account_when_it_is_read(world: World, tiger: Tigercore) -> None:
    await add(tiger, is_default_trading=True, status="SUSPENDED")
    await add(tiger)
    with pytest.raises(NoAccountsAvailableError, match="status is SUSPENDED"):
        await tiger.execute(OperationType.POSITIONS)
    assert [] == called(world)


async def test_a_cancel_goes_to_the_account_that_placed_the_order(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    owner = await add(tiger)
    world.client.answer("place_order", {"id": 77})
    await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"}, account=owner)
    await tiger.execute(OperationType.CANCEL_ORDER, {"id": 77})
    assert f"cancel_order@{owner.account_number}" == called(world)[-1]


async def test_two_different_accounts_in_one_call_are_refused(world: World, tiger: Tigercore) -> None:
    one, two = await add(tiger), await add(tiger)
    with pytest.raises(OperationNotSupportedError, match="two accounts"):
        await tiger.execute(OperationType.POSITIONS, {"account": one.account_number}, account=two)
    assert [] == called(world)


async def test_when_every_account_was_tried_the_error_tells_what_each_said(world: World, tiger: Tigercore) -> None:
    one, two = await add(tiger), await add(tiger)
    await fail_first(world, NotProcessed("quote_real_time", "connection refused"), times=9)
    with pytest.raises(NoAccountsAvailableError) as caught:
        await tiger.execute(QUOTE)
    assert {one.account_name, two.account_name} == {name for name, _ in caught.value.attempts}


async def test_a_spent_budget_rests_the_developer_for_that_method_only(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    await fail_first(world, RateLimited("quote_real_time", "limit", retry_after=60))
    for _ in range(2):
        with pytest.raises(RateLimited):
            await tiger.execute(QUOTE)
    await tiger.execute(OperationType.MARKET_DATA)
    assert ["quote_real_time", "market_state"] == called(world)


async def test_a_spent_budget_is_free_again_in_time(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    await fail_first(world, RateLimited("quote_real_time", "limit", retry_after=60))
    with pytest.raises(RateLimited):
        await tiger.execute(QUOTE)
    world.clock.advance(60)
    await tiger.execute(QUOTE)
    assert 2 == len(called(world))


async def test_a_refused_token_is_in_doubt_and_the_call_goes_elsewhere(world: World, tiger: Tigercore) -> None:
    holder = await add(tiger, license="TBHK", token=token_text(world.clock.now(), timedelta(days=15)))
    await add(tiger)
    await fail_first(world, Unauthorized("quote_real_time", "token invalid"))
    await tiger.execute(QUOTE)
    assert TokenState.UNCERTAIN is (await tiger.tokens.get_token_status(holder)).state


async def test_a_gateway_that_is_gone_is_not_asked_by_every_account(world: World, tiger: Tigercore) -> None:
    for number in range(10):
        await add(tiger, tiger_id=str(number))
    await fail_first(world, NotProcessed("quote_real_time", "connection refused"), times=99)
    with pytest.raises(NoAccountsAvailableError):
        await tiger.execute(QUOTE)
    assert 3 == len(called(world))


async def test_an_account_that_was_taken_out_while_others_were_tried_is_not_used(
    world: World, tiger: Tigercore
) -> None:
    await add(tiger)
    second = await add(tiger)
    await fail_first(world, NotProcessed("place_order", "connection refused"))

    class Operator:
        @hookimpl
        def tigercore_attempt(self) -> None:
            row = tiger.router._snapshot.candidate(second.id)
            row.account = attrs.evolve(row.account, status=AccountStatus.INACTIVE)

    tiger.router._hooks = Hooks([Operator()])
    with pytest.raises(NoAccountsAvailableError, match="changed meanwhile"):
        await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"})
    assert 1 == len(called(world))


async def test_an_order_that_is_answered_with_a_refused_token_puts_the_token_in_doubt(
    world: World, tiger: Tigercore
) -> None:
    holder = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
    await fail_first(world, OutcomeUnknown("place_order", "user token invalid", code=2400))
    with pytest.raises(OrderOutcomeUnknown):
        await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"})
    assert TokenState.UNCERTAIN is (await tiger.tokens.get_token_status(holder)).state


async def test_credentials_that_cannot_be_opened_are_a_reason_to_try_another_account(world: World) -> None:
    async with world.open() as tiger:
        await add(tiger)
        await add(tiger)
    row = (await world.store.accounts())[0]
    await world.store.apply([Put(attrs.evolve(row, sealed=b"rubbish"))])
    async with world.open() as tiger:
        world.client.answer("quote_real_time", ["a quote"])
        assert ["a quote"] == await tiger.execute(QUOTE)


# -- health --------------------------------------------------------------------------------------------------


async def break_first(world: World, tiger: Tigercore) -> tuple[TigerAccount, TigerAccount]:
    sick, well = await add(tiger, tiger_id="1"), await add(tiger, tiger_id="2")
    for _ in range(2):
        await tiger.execute(OperationType.POSITIONS, account=well)
        world.client.fail(sick.account_number, None, NotProcessed("positions", "connection refused"), times=3)
        with pytest.raises(NotProcessed):
            await tiger.execute(OperationType.POSITIONS, account=sick)
        world.client._failures.clear()
    return sick, well


async def test_an_account_that_fails_alone_rests(world: World, tiger: Tigercore) -> None:
    _, well = await break_first(world, tiger)
    assert [well.id] == [a.id for a in await tiger.router.get_available_accounts_for_operation(QUOTE)]


async def test_a_rested_account_comes_back(world: World, tiger: Tigercore) -> None:
    await break_first(world, tiger)
    world.clock.advance(301)
    sick = (await tiger.accounts.list_accounts())[0]
    await tiger.accounts.update_account_status(sick.id, AccountStatus.ACTIVE)
    assert 2 == len(await tiger.router.get_available_accounts_for_operation(QUOTE))


async def test_when_everybody_fails_together_nobody_is_suspended(world: World, tiger: Tigercore) -> None:
    await add(tiger, tiger_id="1"), await add(tiger, tiger_id="2")
    for _ in range(20):
        await fail_first(world, NotProcessed("quote_real_time", "connection refused"), times=4)
        with pytest.raises((NoAccountsAvailableError, NotProcessed)):
            await tiger.execute(QUOTE)
    assert {AccountStatus.ACTIVE} == {account.status for account in await tiger.accounts.list_accounts()}


async def test_when_everybody_rests_reads_go_on_and_orders_fail_fast(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    await fail_first(world, OutcomeUnknown("quote_real_time", "timeout"), times=6)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await tiger.execute(QUOTE)
    with pytest.raises(NoAccountsAvailableError, match="rests"):
        await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"})
    await tiger.execute(QUOTE)


async def test_business_refusals_do_not_count_against_an_account(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    await fail_first(world, Rejected("place_order", "no buying power", code=1200), times=20)
    for _ in range(20):
        with pytest.raises(Rejected):
            await tiger.execute(OperationType.PLACE_ORDER, {}, account=account)
    assert (await tiger.router.check_account_availability(account)).available


async def test_availability_names_everything_that_stands_against_an_account(tiger: Tigercore) -> None:
    account = await add(tiger, license="TBHK", status="INACTIVE")
    availability = await tiger.router.check_account_availability(account)
    assert not availability.available
    assert 2 == len(availability.reasons)


async def test_a_response_time_that_the_program_measured_is_learned(tiger: Tigercore) -> None:
    account = await add(tiger)
    tiger.router.record_operation_response_time(account, 150.5)
    assert [150.5] == [each.latency for each in tiger.router.get_routing_statistics()]


async def test_statistics_count_calls_and_failures(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    await fail_first(world, OutcomeUnknown("quote_real_time", "timeout"))
    await tiger.execute(QUOTE)
    assert [(2, 1, 0)] == [(s.calls, s.failures, s.in_flight) for s in tiger.router.get_routing_statistics()]


async def test_explain_lists_every_account_with_its_place_or_the_reason(tiger: Tigercore) -> None:
    await add(tiger)
    await add(tiger, status="INACTIVE")
    explained = await tiger.router.explain(QUOTE)
    assert [(1, None), (None, "status is INACTIVE")] == [(each.place, each.reason) for each in explained]


async def test_an_account_that_rests_can_still_be_named(world: World, tiger: Tigercore) -> None:
    sick, _ = await break_first(world, tiger)
    await tiger.execute(OperationType.CANCEL_ORDER, {"id": 1}, account=sick)
    assert f"cancel_order@{sick.account_number}" == called(world)[-1]


async def test_a_success_ends_the_rest_of_an_account(world: World, tiger: Tigercore) -> None:
    sick, _ = await break_first(world, tiger)
    await tiger.execute(OperationType.POSITIONS, account=sick)
    assert 2 == len(await tiger.router.get_available_accounts_for_operation(QUOTE))


async def test_while_one_rests_the_strategy_keeps_getting_the_same_set(world: World, tiger: Tigercore) -> None:
    _, well = await break_first(world, tiger)
    seen = []

    class Watching:
        def plan(self, operation: object, candidates: Any) -> Any:
            seen.append(candidates)
            return iter(candidates)

    world.balancers["round_robin"] = Watching()  # type: ignore[assignment]
    for _ in range(2):
        tiger.router.pick(QUOTE)
    assert seen[0] is seen[1]
    assert [well.id] == [candidate.account.id for candidate in seen[0]]


async def test_the_reason_why_a_named_account_cannot_is_not_lost_among_others(tiger: Tigercore) -> None:
    for _ in range(6):
        await add(tiger)
    account = await add(tiger, status="INACTIVE")
    with pytest.raises(NoAccountsAvailableError, match=r"status is INACTIVE$"):
        await tiger.execute(OperationType.POSITIONS, account=account)


class OnlyTheLast:
    @hookimpl
    def tigercore_filter_candidates(self, candidates: Any) -> Any:
        return candidates[-1:]


async def test_a_plugin_may_leave_candidates_out_the_default_one_too(world: World) -> None:
    world.hooks = Hooks([OnlyTheLast()])
    async with world.open() as tiger:
        await add(tiger, is_default_trading=True)
        last = await add(tiger)
        assert last.id == (await tiger.router.route_trading_operation(OperationType.PLACE_ORDER)).id


async def test_counting_an_error_does_not_make_a_strategy_forget(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    seen = []

    class Watching:
        def plan(self, operation: object, candidates: Any) -> Any:
            seen.append(candidates)
            return iter(candidates)

    world.balancers["round_robin"] = Watching()  # type: ignore[assignment]
    tiger.router.pick(QUOTE)
    await tiger.accounts.increment_error_count(account.id)
    tiger.router.pick(QUOTE)
    assert seen[0] is seen[1]


async def test_failures_that_speak_against_an_account_suspend_it(world: World, tiger: Tigercore) -> None:
    holder = await add(tiger)
    for _ in range(2):
        world.client.fail(None, None, Unauthorized("preview_order", "token invalid"), times=3)
        with pytest.raises(Unauthorized):
            await tiger.execute("preview_order", account=holder)
        world.client._failures.clear()
        await trio.testing.wait_all_tasks_blocked()
    assert AccountStatus.SUSPENDED is (await tiger.accounts.get_account_by_id(holder.id)).status


async def test_a_store_that_is_gone_does_not_hide_that_an_order_was_placed(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    await tiger.accounts.increment_error_count(account.id)
    world.client.answer("place_order", {"id": 5})
    world.backend.broken = True
    assert {"id": 5} == await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"})


async def test_a_store_that_is_gone_does_not_hide_that_an_order_may_have_been_placed(
    world: World, tiger: Tigercore
) -> None:
    sick, _ = await add(tiger), await add(tiger)
    world.client.fail(sick.account_number, None, OutcomeUnknown("place_order", "timeout"), times=9)
    world.backend.broken = True
    for _ in range(6):
        with pytest.raises(OrderOutcomeUnknown):
            await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"}, account=sick)


async def test_a_cancellation_after_the_answer_does_not_lose_it(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    await tiger.accounts.increment_error_count(account.id)
    world.client.answer("place_order", {"id": 5})
    scope = trio.CancelScope()

    class Cancelling:
        @hookimpl
        def tigercore_attempt(self) -> None:
            scope.cancel()

    tiger.router._hooks = Hooks([Cancelling()])
    with scope:
        reply = await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"})
    assert {"id": 5} == reply


async def test_a_principal_is_refused_the_account_of_another(world: World, tiger: Tigercore) -> None:
    own, other = await add(tiger), await add(tiger)
    someone = Principal("someone", frozenset({"account:read"}), frozenset({own.id}))
    with pytest.raises(PermissionDenied, match="may not use the account"):
        await tiger.execute(OperationType.POSITIONS, account=other, principal=someone)
    assert [] == called(world)


# -- who asks, and who may refuse ----------------------------------------------------------------------------


async def test_a_principal_without_the_scope_is_refused_before_anything_is_sent(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    with pytest.raises(PermissionDenied, match="order:place"):
        await tiger.execute(OperationType.PLACE_ORDER, principal=Principal("reader", frozenset({"quote:read"})))
    assert [] == called(world)


async def test_a_principal_uses_its_own_accounts_only(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    own = await add(tiger)
    someone = Principal("someone", frozenset({"account:read"}), frozenset({own.id}))
    await tiger.execute(OperationType.POSITIONS, principal=someone)
    assert [f"positions@{own.account_number}"] == called(world)


class Cautious:
    @hookimpl
    def tigercore_veto(self, params: Any) -> str | None:
        return "too many" if params.get("total_quantity", 0) > 100 else None


async def test_a_veto_refuses_the_call_before_it_is_sent(world: World) -> None:
    world.hooks = Hooks([Cautious()])
    async with world.open() as tiger:
        await add(tiger)
        with pytest.raises(OperationVetoed, match="too many"):
            await tiger.execute(OperationType.PLACE_ORDER, {"total_quantity": 101})
        await tiger.execute(OperationType.PLACE_ORDER, {"total_quantity": 100})
    assert 1 == len(called(world))


class Clumsy:
    @hookimpl
    def tigercore_veto(self) -> str | None:
        raise ZeroDivisionError

    @hookimpl
    def tigercore_attempt(self) -> None:
        raise ZeroDivisionError


async def test_a_veto_that_fails_refuses(world: World) -> None:
    world.hooks = Hooks([Clumsy()])
    async with world.open() as tiger:
        await add(tiger)
        with pytest.raises(OperationVetoed, match="failed while it was asked"):
            await tiger.execute(QUOTE)


async def test_an_observer_that_fails_is_counted_and_not_felt(world: World) -> None:
    observer = Clumsy()
    world.hooks = Hooks([type("Observer", (), {"tigercore_attempt": observer.tigercore_attempt})()])
    async with world.open() as tiger:
        await add(tiger)
        await tiger.execute(QUOTE)
    assert [1] == list(world.hooks.failures.values())


async def test_a_deadline_that_has_passed_sends_nothing(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    with pytest.raises(NotProcessed, match="deadline"):
        await tiger.execute(QUOTE, deadline=world.clock.monotonic())
    assert [] == called(world)


async def test_an_intent_id_is_refused_rather_than_ignored(tiger: Tigercore) -> None:
    await tiger.accounts.create_account(**given())
    with pytest.raises(OperationNotSupportedError, match="intent_id"):
        await tiger.execute(OperationType.PLACE_ORDER, intent_id=uuid4())


async def test_a_refresh_is_no_operation_to_execute(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    with pytest.raises(OperationNotSupportedError, match=r"tokens\.refresh_token"):
        await tiger.execute("user_token_refresh")
    assert [] == called(world)


async def test_an_order_is_not_sent_after_a_deadline_that_passed_while_its_token_was_looked_into(
    world: World, tiger: Tigercore
) -> None:
    await add(tiger)
    token_for = tiger.tokens.token_for

    class SlowTokens:
        async def token_for(self, account: TigerAccount) -> Any:
            world.clock.advance(95)
            return await token_for(account)

    tiger.router._tokens = SlowTokens()  # type: ignore[assignment]
    with pytest.raises(NotProcessed, match="deadline"):
        await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"}, deadline=world.clock.monotonic() + 2)
    assert [] == called(world)


async def test_an_answer_that_arrives_while_tigercore_closes_is_not_replaced_by_an_error(world: World) -> None:
    world.client.answer("place_order", {"id": 5})
    async with world.open() as tiger:
        account = await add(tiger)
        await tiger.accounts.increment_error_count(account.id)
    assert {"id": 5} == await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "AAPL"})
