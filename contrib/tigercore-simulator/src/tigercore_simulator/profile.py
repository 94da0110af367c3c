"""What a developer may know about themselves: accounts, licence and entitlements."""

from tigercore_simulator.developers import Developer
from tigercore_simulator.limits import Limits
from tigercore_simulator.refusals import standard
from tigercore_simulator.tokens import Token
from tigercore_simulator.wire import Json

_QUOTAS = ("kline", "future_kline", "option_kline", "history_timeline")


def accounts(developer: Developer, wanted: str | None) -> Json:
    """Answer ``accounts``."""
    kinds = {developer.prime_account: "STANDARD", developer.paper_account: "PAPER"}
    rows = [_account(number, kind) for number, kind in kinds.items() if wanted in (None, number)]
    return {"items": rows}


def license_of(developer: Developer) -> Json:
    """Answer ``user_license``."""
    return {"license": developer.license}


def refreshed(developer: Developer, token: Token) -> Json:
    """Answer ``user_token_refresh``."""
    times = {"createTime": token.created_ms, "expiredTime": token.expires_ms}
    return {"tigerId": developer.tiger_id, "license": developer.license, "token": token.text} | times


def kline_quota() -> list[Json]:
    """Answer ``kline_quota``."""
    return [{"method": name, "remain": 2000, "used": 0, "details": [], "symbolDetails": []} for name in _QUOTAS]


def entitlements(limits: Limits) -> Json:
    """Answer ``addon_entitlements``."""
    quotas = {f"history{name}{side}": 2000 for name in ("Stock", "Future", "Option") for side in ("Limit", "Remaining")}
    pushes = {"subscribeLimit": 50, "subscribeRemaining": 50, "subscribeDepthLimit": 5, "subscribeDepthRemaining": 5}
    rates = {"highFreqLimit": limits.high, "midFreqLimit": limits.medium, "lowFreqLimit": limits.low}
    effective = quotas | pushes | rates | {"rateMultiple": 1}
    return {"userLevel": "BASIC", "activePlan": None, "addons": [], "effectiveEntitlement": effective}


def check_owner(developer: Developer, account: str) -> None:
    """Refuse an account that is not the developer's."""
    if not developer.owns(account):
        raise standard("unauthorized:Please login in")


def _account(number: str, kind: str) -> Json:
    return {"account": number, "capability": "CASH", "status": "Funded", "accountType": kind}
