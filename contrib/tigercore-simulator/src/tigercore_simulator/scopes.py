"""The scopes of OAuth 2.0: what a client may do for a person."""

from tigercore_simulator.denials import Denial

QUOTE = "api.quote:read"
ACCOUNT = "api.account:read"
TRADE = "api.trade:read"
WRITE = "api.trade:write"
ALL = frozenset({QUOTE, ACCOUNT, TRADE, WRITE})


def read_scopes(text: str) -> frozenset[str]:
    """Read the scopes that are asked for, all of them if none is named."""
    wanted = frozenset(text.split()) or ALL
    if unknown := wanted - ALL:
        raise Denial("invalid_scope", f"there is no scope {' '.join(sorted(unknown))}")
    return wanted


def as_text(scopes: frozenset[str]) -> str:
    """Return scopes as they travel."""
    return " ".join(sorted(scopes))
