"""The words: every enumeration of the public vocabulary, as strings that store and print as themselves."""

from __future__ import annotations

from enum import StrEnum


class AccountType(StrEnum):
    """What kind of account the broker keeps; a 17-digit number is always PAPER."""

    STANDARD = "STANDARD"
    PAPER = "PAPER"
    PRIME = "PRIME"
    GLOBAL = "GLOBAL"


class AccountStatus(StrEnum):
    """Whether an account takes part in routing: only ACTIVE does. Only a new private key ends COMPROMISED."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    SUSPENDED = "SUSPENDED"
    PENDING_VERIFICATION = "PENDING_VERIFICATION"
    COMPROMISED = "COMPROMISED"


class MarketPermission(StrEnum):
    """A market in which an account may act."""

    US_STOCK = "US_STOCK"
    HK_STOCK = "HK_STOCK"
    CN_STOCK = "CN_STOCK"
    US_OPTION = "US_OPTION"
    HK_OPTION = "HK_OPTION"
    FUTURES = "FUTURES"
    FOREX = "FOREX"


class License(StrEnum):
    """The broker's entity that a developer belongs to; only TBHK needs a token (protocol 4A)."""

    TBHK = "TBHK"
    TBSG = "TBSG"
    TBNZ = "TBNZ"
    TBAU = "TBAU"
    TBUS = "TBUS"


class Authentication(StrEnum):
    """How an account proves who it is: by its developer's key, or by a grant of its user (protocol 4)."""

    SIGNATURE = "SIGNATURE"
    OAUTH2 = "OAUTH2"


class Environment(StrEnum):
    """Where an account lives. SANDBOX is the only one that may name a gateway on this machine."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"


class OperationType(StrEnum):
    """What a program wants done, in the requirement's words."""

    MARKET_DATA = "MARKET_DATA"
    QUOTE = "QUOTE"
    HISTORICAL_DATA = "HISTORICAL_DATA"
    FUNDAMENTALS = "FUNDAMENTALS"
    OPTIONS_CHAIN = "OPTIONS_CHAIN"
    PLACE_ORDER = "PLACE_ORDER"
    MODIFY_ORDER = "MODIFY_ORDER"
    CANCEL_ORDER = "CANCEL_ORDER"
    ACCOUNT_INFO = "ACCOUNT_INFO"
    POSITIONS = "POSITIONS"
    ORDERS = "ORDERS"
    TRANSACTIONS = "TRANSACTIONS"

    @property
    def is_trading(self) -> bool:
        """Say whether this writes to an account."""
        return self in _TRADING

    @property
    def is_data(self) -> bool:
        """Say whether this reads market data, which any entitled account can answer alike."""
        return self in _DATA


_TRADING = {OperationType.PLACE_ORDER, OperationType.MODIFY_ORDER, OperationType.CANCEL_ORDER}
_DATA = {
    OperationType.MARKET_DATA,
    OperationType.QUOTE,
    OperationType.HISTORICAL_DATA,
    OperationType.FUNDAMENTALS,
    OperationType.OPTIONS_CHAIN,
}


class OperationClass(StrEnum):
    """How dangerous it is to send a gateway method again (reliability 4.1), least first."""

    MARKET_DATA = "Q"
    ACCOUNT_READ = "R"
    DRY_RUN = "P"
    CANCEL = "C"
    MODIFY = "M"
    TOKEN = "K"  # noqa: S105  (a class of methods, not a password)
    CREATE = "O"
    MONEY = "T"

    @property
    def read_only(self) -> bool:
        """Say whether sending it twice changes nothing."""
        return self in (OperationClass.MARKET_DATA, OperationClass.ACCOUNT_READ, OperationClass.DRY_RUN)


class LoadBalanceStrategy(StrEnum):
    """The strategies of the requirement; a balancer's name may stand wherever one of these does."""

    ROUND_ROBIN = "round_robin"
    RANDOM = "random"
    LEAST_USED = "least_used"
    FASTEST_RESPONSE = "fastest_response"


class TokenState(StrEnum):
    """Where the token of an account stands (reliability 3.2)."""

    NOT_REQUIRED = "NOT_REQUIRED"
    VALID = "VALID"
    REFRESHING = "REFRESHING"
    UNCERTAIN = "UNCERTAIN"
    NEEDS_REAUTH = "NEEDS_REAUTH"
    DISABLED = "DISABLED"


class RefreshTrigger(StrEnum):
    """Why a refresh was tried."""

    SCHEDULED = "SCHEDULED"
    MANUAL = "MANUAL"
    ON_DEMAND = "ON_DEMAND"
    EXPIRY_SOON = "EXPIRY_SOON"
    EXPIRED = "EXPIRED"
    ERROR = "ERROR"


class TokenRefreshStatus(StrEnum):
    """How an attempt to refresh ended, or that it has not."""

    STARTED = "STARTED"
    SUCCEEDED = "SUCCEEDED"
    REJECTED = "REJECTED"
    NOT_SENT = "NOT_SENT"
    RATE_LIMITED = "RATE_LIMITED"
    LOST = "LOST"
    OLD_ALIVE = "OLD_ALIVE"


class AuditResult(StrEnum):
    """How an audited action ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


class AuditSeverity(StrEnum):
    """How loud an audit line is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class KeyState(StrEnum):
    """What a key of the ring may be used for."""

    STAGED = "staged"
    ACTIVE = "active"
    DECRYPT = "decrypt"
    RETIRED = "retired"
    DESTROYED = "destroyed"
