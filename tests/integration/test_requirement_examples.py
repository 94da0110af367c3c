"""The requirement's three usage examples, with the two changes that architecture 4 names.

Imports come from `tigercore`, and `open_tigercore` stands around them. Else they are as they were written, but for real
values where the requirement has placeholders (a key, a licence's gateway) and an account to give to the second.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.conftest import Opener
from tigercore import (
    AccountType,
    LoadBalanceStrategy,
    MarketPermission,
    OperationType,
    Secret,
    TigerAccount,
    Tigercore,
    get_account_manager,
    get_account_router,
    get_config,
    get_tiger_api_config,
    get_token_manager,
)
from tigercore_simulator import Simulator


@pytest.fixture
def your(gateway: Simulator) -> dict[str, str]:
    """Return what the requirement leaves for the reader to fill in."""
    developer = gateway.developers[1]
    assert developer.license == "TBHK"
    return {
        "account_number": developer.prime_account,
        "tiger_id": developer.tiger_id,
        "private_key": developer.private_key_pk1,
        "server_url": gateway.url,
        "token": gateway.token(developer),
    }


async def create_account_example(your: dict[str, str]) -> TigerAccount:
    account_manager = get_account_manager()

    # Create new account
    account = await account_manager.create_account(
        account_name="My Trading Account",
        account_number=your["account_number"],
        tiger_id=your["tiger_id"],
        private_key=your["private_key"],
        account_type=AccountType.STANDARD,
        environment="sandbox",  # or "production"
        market_permissions=[MarketPermission.US_STOCK, MarketPermission.US_OPTION],
        is_default_trading=True,
        server_url=your["server_url"],  # the gateway of the tests
        license="TBHK",  # the one licence that has tokens
        token=your["token"],
    )

    # Get account
    account = await account_manager.get_account_by_id(account.id)

    # Update account
    updated = await account_manager.update_account(account.id, {"description": "Updated description"})

    # Decrypt credentials when needed
    credentials = await account_manager.decrypt_credentials(account)
    tiger_id = credentials["tiger_id"]
    private_key = credentials["private_key"]
    assert isinstance(tiger_id, Secret)
    assert isinstance(private_key, Secret)
    return updated


async def token_management_example(account: TigerAccount) -> dict[str, Any]:
    token_manager = get_token_manager()

    # Refresh token manually
    success, error = await token_manager.refresh_token(account)

    # Validate token
    is_valid, fault = await token_manager.validate_token(account)

    # Schedule automatic refresh
    token_status = await token_manager.schedule_token_refresh(account)

    # Refresh all expired tokens
    results = await token_manager.refresh_expired_tokens()

    # Get refresh statistics
    stats = await token_manager.get_refresh_statistics(days=30)

    # Start background scheduler
    await token_manager.start_background_refresh_scheduler()
    await token_manager.stop_background_tasks()
    return {
        "refreshed": (success, error),
        "valid": (is_valid, fault),
        "due": token_status.next_refresh_at,
        "results": results,
        "rate": stats.success_rate,
    }


async def routing_example() -> list[TigerAccount]:
    router = get_account_router()

    # Route a trading operation
    trading_account = await router.route_trading_operation(
        OperationType.PLACE_ORDER,
        market_permissions=[MarketPermission.US_STOCK],
        strategy=LoadBalanceStrategy.LEAST_USED,
    )

    # Route a data operation
    data_account = await router.route_data_operation(
        OperationType.MARKET_DATA, strategy=LoadBalanceStrategy.FASTEST_RESPONSE
    )

    # General routing
    account = await router.route_operation(
        operation_type=OperationType.QUOTE,
        environment="sandbox",  # the requirement says "production", of which a test has none
        strategy=LoadBalanceStrategy.ROUND_ROBIN,
    )

    # Check account availability
    availability = await router.check_account_availability(account)
    assert availability.available

    # Record operation metrics
    router.record_operation_response_time(account, 150.5)  # 150.5ms
    return [trading_account, data_account, account]


async def test_the_account_example_runs(tiger: Tigercore, your: dict[str, str]) -> None:
    assert "Updated description" == (await create_account_example(your)).description


async def test_the_token_example_runs(tiger: Tigercore, your: dict[str, str]) -> None:
    account = await create_account_example(your)
    told = await token_management_example(account)
    assert ((True, None), (True, None), {}, 1.0) == (told["refreshed"], told["valid"], told["results"], told["rate"])
    assert told["due"] is not None


async def test_the_routing_example_runs(tiger: Tigercore, your: dict[str, str]) -> None:
    account = await create_account_example(your)
    assert [account.id] * 3 == [chosen.id for chosen in await routing_example()]


async def test_the_configuration_example_runs(opener: Opener) -> None:
    async with opener():
        config = get_config()
        tiger_config = get_tiger_api_config()
        timeout = tiger_config.tiger_api_timeout
        retries = tiger_config.tiger_api_retries
    assert (30.0, 2) == (timeout, retries)
    assert config.api is tiger_config
