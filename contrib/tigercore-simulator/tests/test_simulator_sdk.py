"""The unmodified official SDK against the simulator."""

import logging

import pytest
import trio

from tigercore_simulator import Fault, Kind

pytestmark = [pytest.mark.filterwarnings("ignore")]


class Sdk:
    """The SDK's clients of one developer, made the way its documentation makes them."""

    def __init__(self, directory, **changes):
        from tigeropen.quote.quote_client import QuoteClient
        from tigeropen.tiger_open_config import TigerOpenClientConfig
        from tigeropen.trade.trade_client import TradeClient

        self.config = TigerOpenClientConfig(enable_dynamic_domain=False, props_path=str(directory))
        self.config.retry_max_tries = 1
        for name, value in changes.items():
            setattr(self.config, name, value)
        logger = logging.getLogger("quiet")
        logger.setLevel(logging.CRITICAL)
        self.trade = TradeClient(self.config, logger=logger)
        self.quote = QuoteClient(self.config, logger=logger, is_grab_permission=False)


def refusal(call, *arguments, **named):
    from tigeropen.common.exceptions import ApiException

    with pytest.raises(ApiException) as caught:
        call(*arguments, **named)
    return caught.value


def stock(symbol):
    from tigeropen.common.util.contract_utils import stock_contract

    return stock_contract(symbol=symbol, currency="USD")


def buy(sdk, quantity=10, limit=None, symbol="AAPL"):
    from tigeropen.common.util.order_utils import limit_order, market_order

    account, contract = sdk.config.account, stock(symbol)
    if limit is None:
        return market_order(account, contract, "BUY", quantity)
    return limit_order(account, contract, "BUY", quantity, limit)


async def run(call, *arguments):
    return await trio.to_thread.run_sync(lambda: call(*arguments))


async def open_sdk(simulator, directory, license="TBSG", **changes):
    places = simulator.write(directory)
    developer = next(each for each in simulator.developers if each.license == license)
    return await run(lambda: Sdk(places[developer.tiger_id][0], **changes))


@pytest.fixture
async def sdk(simulator, tmp_path):
    return await open_sdk(simulator, tmp_path)


async def test_the_sdk_reads_the_market_state(sdk):
    states = await run(sdk.quote.get_market_status, "US")
    assert [state.trading_status for state in states] == ["TRADING"]


async def test_the_sdk_reads_real_time_quotes(sdk):
    briefs = await run(sdk.quote.get_stock_briefs, ["AAPL", "MSFT"])
    assert list(briefs["symbol"]) == ["AAPL", "MSFT"]


async def test_the_sdk_reads_daily_bars(sdk):
    bars = await run(lambda: sdk.quote.get_bars(["AAPL"], limit=5))
    assert len(bars) == 5


async def test_the_sdk_reads_bars_by_pages(sdk):
    pages = await run(
        lambda: sdk.quote.get_bars_by_page(
            "AAPL", begin_time="2026-01-05", end_time="2026-02-01", total=20, page_size=8, time_interval=0
        )
    )
    assert len(set(pages["time"])) == 20


async def test_the_sdk_reads_minute_bars(sdk):
    bars = await run(lambda: sdk.quote.get_bars(["AAPL"], period="1min", limit=30))
    assert {60_000} == set(bars["time"].diff().dropna())


async def test_the_sdk_reads_a_timeline(sdk):
    line = await run(sdk.quote.get_timeline, ["AAPL"])
    assert len(line) == 151


async def test_the_sdk_reads_depth(sdk):
    book = await run(sdk.quote.get_depth_quote, ["AAPL"], "US")
    assert len(book["asks"]) == 10


async def test_the_sdk_reads_ticks(sdk):
    ticks = await run(lambda: sdk.quote.get_trade_ticks(["AAPL"], limit=7))
    assert len(ticks) == 7


async def test_the_sdk_reads_delayed_quotes(sdk):
    briefs = await run(sdk.quote.get_stock_delay_briefs, ["AAPL"])
    assert list(briefs["symbol"]) == ["AAPL"]


async def test_the_sdk_reads_a_trading_calendar(sdk):
    days = await run(sdk.quote.get_trading_calendar, "US", "2026-03-13", "2026-03-16")
    assert [day["type"] for day in days] == ["TRADING", "NON_TRADING", "NON_TRADING"]


async def test_the_sdk_reads_option_expirations(sdk):
    dates = await run(sdk.quote.get_option_expirations, ["AAPL"])
    assert dates["date"].iloc[0] == "2026-03-20"


async def test_the_sdk_reads_an_option_chain(sdk):
    chain = await run(sdk.quote.get_option_chain, "AAPL", "2026-03-20")
    assert {"PUT", "CALL"} == set(chain["put_call"])


async def test_the_sdk_filters_an_option_chain(sdk):
    chain = await run(lambda: sdk.quote.get_option_chain("AAPL", "2026-03-20", delta_min=0.5))
    assert {"CALL"} == set(chain["put_call"])


async def test_the_sdk_reads_option_quotes(sdk):
    chain = await run(sdk.quote.get_option_chain, "AAPL", "2026-03-20")
    wanted = chain["identifier"].iloc[0]
    briefs = await run(sdk.quote.get_option_briefs, [wanted])
    assert [wanted] == list(briefs["identifier"])


async def test_the_sdk_reads_daily_financials(sdk):
    rows = await run(sdk.quote.get_financial_daily, ["AAPL"], "US", ["shares_outstanding"], "2026-03-02", "2026-03-07")
    assert len(rows) == 5


async def test_the_sdk_reads_financial_reports(sdk):
    rows = await run(sdk.quote.get_financial_report, ["AAPL"], "US", ["net_income"], "Annual")
    assert {"net_income"} == set(rows["field"])


@pytest.mark.parametrize("name", ["get_corporate_split", "get_corporate_dividend"])
async def test_the_sdk_reads_corporate_actions(sdk, name):
    rows = await run(getattr(sdk.quote, name), ["AAPL"], "US", "2025-01-01", "2026-01-01")
    assert len(rows) == 4


async def test_the_sdk_reads_stock_fundamentals(sdk):
    rows = await run(sdk.quote.get_stock_fundamental, ["AAPL"], "US")
    assert rows["week52_high"].iloc[0] > rows["week52_low"].iloc[0]


async def test_the_sdk_reads_its_kline_quota(sdk):
    quotas = await run(sdk.quote.get_kline_quota)
    assert quotas[0]["method"] == "kline"


async def test_the_sdk_reads_its_quote_permissions(sdk):
    permissions = await run(sdk.quote.get_quote_permission)
    assert permissions[0]["expire_at"] == -1


async def test_the_sdk_lists_the_accounts_of_the_developer(simulator, sdk):
    profiles = await run(sdk.trade.get_managed_accounts)
    assert list(simulator.developers[0].accounts) == [each.account for each in profiles]


async def test_the_sdk_reads_prime_assets(sdk):
    assets = await run(sdk.trade.get_prime_assets)
    assert assets.segments["S"].net_liquidation == 1_128_000.0


async def test_the_sdk_reads_aggregate_assets(sdk):
    assets = await run(sdk.trade.get_aggregate_assets)
    assert assets.net_liquidation == 1_128_000.0


async def test_the_sdk_reads_assets(sdk):
    assets = await run(sdk.trade.get_assets)
    assert assets[0].summary.net_liquidation == 1_128_000.0


async def test_the_sdk_sees_a_market_order_filled(sdk, clock):
    from tigeropen.common.consts import OrderStatus

    order = buy(sdk)
    await run(sdk.trade.place_order, order)
    clock.move(1)
    assert OrderStatus.FILLED is (await run(lambda: sdk.trade.get_order(id=order.id))).status


async def test_the_sdk_sees_half_a_fill_as_partially_filled(sdk, clock):
    from tigeropen.common.consts import OrderStatus

    order = buy(sdk)
    await run(sdk.trade.place_order, order)
    clock.move(0.3)
    assert OrderStatus.PARTIALLY_FILLED is (await run(lambda: sdk.trade.get_order(id=order.id))).status


async def test_the_sdk_sees_the_position_a_fill_leaves(sdk, clock):
    await run(sdk.trade.place_order, buy(sdk))
    clock.move(1)
    positions = await run(sdk.trade.get_positions)
    assert [(each.contract.symbol, each.position_qty) for each in positions] == [("AAPL", 10)]


async def test_the_sdk_sees_the_transactions_of_an_order(sdk, clock):
    order = buy(sdk)
    await run(sdk.trade.place_order, order)
    clock.move(1)
    await run(lambda: sdk.trade.get_order(id=order.id))
    found = await run(lambda: sdk.trade.get_transactions(order_id=order.id))
    assert [(order.id, 5), (order.id, 5)] == [(each.order_id, each.filled_quantity) for each in found]


async def test_the_sdk_gets_back_the_order_number_it_took(sdk):
    order = await run(
        lambda: sdk.trade.create_order(sdk.config.account, stock("AAPL"), "BUY", "LMT", 1, limit_price=1.0)
    )
    await run(sdk.trade.place_order, order)
    assert order.order_id == (await run(lambda: sdk.trade.get_order(id=order.id))).order_id


async def test_the_sdk_modifies_an_order(sdk, clock):
    order = buy(sdk, limit=1.0)
    await run(sdk.trade.place_order, order)
    clock.move(1)
    await run(lambda: sdk.trade.modify_order(order, limit_price=2.0))
    assert (await run(lambda: sdk.trade.get_order(id=order.id))).limit_price == 2.0


async def test_the_sdk_cancels_an_order(sdk, clock):
    from tigeropen.common.consts import OrderStatus

    order = buy(sdk, limit=1.0)
    await run(sdk.trade.place_order, order)
    await run(lambda: sdk.trade.cancel_order(id=order.id))
    clock.move(1)
    assert OrderStatus.CANCELLED is (await run(lambda: sdk.trade.get_order(id=order.id))).status


async def test_the_sdk_lists_open_orders(sdk):
    order = buy(sdk, limit=1.0)
    await run(sdk.trade.place_order, order)
    assert [order.id] == [each.id for each in await run(sdk.trade.get_open_orders)]


async def test_the_sdk_previews_an_order(sdk):
    preview = await run(sdk.trade.preview_order, buy(sdk))
    assert preview["is_pass"]


async def test_the_sdk_trades_an_option(sdk, clock):
    from tigeropen.common.util.contract_utils import option_contract_by_symbol
    from tigeropen.common.util.order_utils import market_order

    strike = (await run(sdk.quote.get_option_chain, "AAPL", "2026-03-20"))["strike"].iloc[20]
    contract = option_contract_by_symbol("AAPL", "20260320", strike, "CALL", "USD")
    await run(sdk.trade.place_order, market_order(sdk.config.account, contract, "BUY", 1))
    clock.move(1)
    assert (await run(lambda: sdk.trade.get_positions(sec_type="OPT")))[0].contract.multiplier == 100.0


async def test_the_sdk_reads_its_licence(sdk):
    assert await run(sdk.trade.query_license) == "TBSG"


async def test_the_sdk_works_with_a_token(simulator, tmp_path):
    sdk = await open_sdk(simulator, tmp_path, "TBHK")
    assert await run(sdk.trade.query_license) == "TBHK"


async def test_the_sdk_refreshes_its_token(simulator, tmp_path):
    sdk = await open_sdk(simulator, tmp_path, "TBHK")
    await run(sdk.trade.refresh_token)
    assert sdk.config.token == simulator.tokens.current(sdk.config.tiger_id)


async def test_the_sdk_works_on_after_a_refresh(simulator, tmp_path):
    sdk = await open_sdk(simulator, tmp_path, "TBHK")
    await run(sdk.trade.refresh_token)
    assert len(await run(sdk.trade.get_managed_accounts)) == 2


async def test_a_token_rotated_elsewhere_is_refused(simulator, tmp_path):
    sdk = await open_sdk(simulator, tmp_path, "TBHK")
    simulator.faults.add(Fault(Kind.ROTATE_TOKEN))
    assert (await run(refusal, sdk.trade.get_managed_accounts)).code == 2400


async def test_a_wrong_key_is_refused(simulator, tmp_path):
    other = simulator.developers[1].private_key_pk1
    sdk = await open_sdk(simulator, tmp_path, private_key="".join(other.splitlines()[1:-1]))
    assert (await run(refusal, sdk.trade.get_managed_accounts)).code == 1000


async def test_an_unknown_developer_is_refused(simulator, tmp_path):
    sdk = await open_sdk(simulator, tmp_path, tiger_id="99999999")
    why = await run(refusal, sdk.trade.get_managed_accounts)
    assert (why.code, why.msg) == (1000, "common param error(failed to get developer information)")


async def test_a_foreign_account_is_refused(simulator, sdk):
    foreign = simulator.developers[1].paper_account
    assert (await run(lambda: refusal(sdk.trade.get_prime_assets, account=foreign))).code == 1200


async def test_a_rate_limit_at_status_200_is_code_5(simulator, sdk):
    simulator.faults.add(Fault(Kind.CODE_5, method="market_state"))
    assert (await run(refusal, sdk.quote.get_market_status)).code == 5


async def test_a_rate_limit_at_status_429_is_a_response_error(simulator, sdk):
    from tigeropen.common.exceptions import ResponseException

    simulator.faults.add(Fault(Kind.HTTP_429, method="market_state"))
    with pytest.raises(ResponseException, match="up to 10 times per minute"):
        await run(sdk.quote.get_market_status)


async def test_the_sdk_decodes_data_that_came_as_text(simulator, sdk):
    simulator.faults.add(Fault(Kind.STRING_DATA))
    assert len(await run(sdk.trade.get_managed_accounts)) == 2


async def test_the_sdk_takes_the_code_inside_the_data(simulator, sdk):
    simulator.faults.add(Fault(Kind.NESTED_CODE, code=1300))
    assert (await run(lambda: refusal(sdk.trade.place_order, buy(sdk)))).code == 1300


async def test_the_sdk_accepts_signed_replies(clock, tmp_path):
    from tigercore_simulator import open_simulator

    async with open_simulator(developers=1, clock=clock, sign_replies=True) as simulator:
        sdk = await open_sdk(simulator, tmp_path, tiger_public_key=simulator.public_key)
        assert len(await run(sdk.trade.get_managed_accounts)) == 2
