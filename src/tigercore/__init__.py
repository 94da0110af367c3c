"""Keep many Tiger Brokers accounts: credentials encrypted, tokens alive, every operation on the right account."""

import importlib
from typing import TYPE_CHECKING, Any, Final

from tigercore.clock import Clock as Clock
from tigercore.clock import SystemClock as SystemClock
from tigercore.errors import AccountManagerError as AccountManagerError
from tigercore.errors import AccountNotFoundError as AccountNotFoundError
from tigercore.errors import AccountRouterError as AccountRouterError
from tigercore.errors import AccountValidationError as AccountValidationError
from tigercore.errors import BackgroundTaskFailed as BackgroundTaskFailed
from tigercore.errors import BackupUnusable as BackupUnusable
from tigercore.errors import ClientError as ClientError
from tigercore.errors import DecryptionFailed as DecryptionFailed
from tigercore.errors import DefaultAccountError as DefaultAccountError
from tigercore.errors import JournalUnusable as JournalUnusable
from tigercore.errors import KeyUnavailable as KeyUnavailable
from tigercore.errors import NoAccountsAvailableError as NoAccountsAvailableError
from tigercore.errors import NotProcessed as NotProcessed
from tigercore.errors import OperationNotSupportedError as OperationNotSupportedError
from tigercore.errors import OperationVetoed as OperationVetoed
from tigercore.errors import OrderOutcomeUnknown as OrderOutcomeUnknown
from tigercore.errors import OutcomeUnknown as OutcomeUnknown
from tigercore.errors import PermissionDenied as PermissionDenied
from tigercore.errors import PortError as PortError
from tigercore.errors import RateLimited as RateLimited
from tigercore.errors import Rejected as Rejected
from tigercore.errors import SettingsError as SettingsError
from tigercore.errors import SigningFrozen as SigningFrozen
from tigercore.errors import StaleVersion as StaleVersion
from tigercore.errors import StoreUnavailable as StoreUnavailable
from tigercore.errors import TigerCoreError as TigerCoreError
from tigercore.errors import TokenManagerError as TokenManagerError
from tigercore.errors import TokenNeedsReauthorisation as TokenNeedsReauthorisation
from tigercore.errors import TokenRateLimitError as TokenRateLimitError
from tigercore.errors import TokenRefreshError as TokenRefreshError
from tigercore.errors import TokenValidationError as TokenValidationError
from tigercore.errors import Unauthorized as Unauthorized
from tigercore.model import AccountStatistics as AccountStatistics
from tigercore.model import AccountStatus as AccountStatus
from tigercore.model import AccountType as AccountType
from tigercore.model import AuditEntry as AuditEntry
from tigercore.model import AuditResult as AuditResult
from tigercore.model import AuditSeverity as AuditSeverity
from tigercore.model import Authentication as Authentication
from tigercore.model import Availability as Availability
from tigercore.model import Credentials as Credentials
from tigercore.model import Environment as Environment
from tigercore.model import Explanation as Explanation
from tigercore.model import Grant as Grant
from tigercore.model import KeyRing as KeyRing
from tigercore.model import KeyRingStatus as KeyRingStatus
from tigercore.model import KeySlot as KeySlot
from tigercore.model import KeyState as KeyState
from tigercore.model import KeyStatus as KeyStatus
from tigercore.model import License as License
from tigercore.model import LoadBalanceStrategy as LoadBalanceStrategy
from tigercore.model import MarketPermission as MarketPermission
from tigercore.model import Operation as Operation
from tigercore.model import OperationClass as OperationClass
from tigercore.model import OperationType as OperationType
from tigercore.model import Principal as Principal
from tigercore.model import RefreshResult as RefreshResult
from tigercore.model import RefreshStatistics as RefreshStatistics
from tigercore.model import RefreshTrigger as RefreshTrigger
from tigercore.model import SchedulerStatus as SchedulerStatus
from tigercore.model import Secret as Secret
from tigercore.model import TigerAccount as TigerAccount
from tigercore.model import Token as Token
from tigercore.model import TokenRefreshStatus as TokenRefreshStatus
from tigercore.model import TokenState as TokenState
from tigercore.model import TokenStatus as TokenStatus
from tigercore.model import TokenValidation as TokenValidation
from tigercore.model import Verification as Verification
from tigercore.model import WrappedKey as WrappedKey

if TYPE_CHECKING:
    from tigercore._plugins import Hooks as Hooks
    from tigercore._selection import Wish as Wish
    from tigercore.accounts import TigerAccountManager as TigerAccountManager
    from tigercore.app import Ports as Ports
    from tigercore.app import Tigercore as Tigercore
    from tigercore.app import get_account_manager as get_account_manager
    from tigercore.app import get_account_router as get_account_router
    from tigercore.app import get_config as get_config
    from tigercore.app import get_tiger_api_config as get_tiger_api_config
    from tigercore.app import get_token_manager as get_token_manager
    from tigercore.app import open_tigercore as open_tigercore
    from tigercore.app import run_on as run_on
    from tigercore.audit import AuditLog as AuditLog
    from tigercore.hookspecs import hookimpl as hookimpl
    from tigercore.keys import KeyManager as KeyManager
    from tigercore.logins import LoginManager as LoginManager
    from tigercore.router import AccountRouter as AccountRouter
    from tigercore.settings import DriverSettings as DriverSettings
    from tigercore.settings import Settings as Settings
    from tigercore.settings import load_settings as load_settings
    from tigercore.tokens import TokenManager as TokenManager

# Imported when first used: trio and cattrs are slow to import, and the command's --help needs neither.
_LATER: Final = {
    "AccountRouter": "tigercore.router",
    "AuditLog": "tigercore.audit",
    "DriverSettings": "tigercore.settings",
    "Hooks": "tigercore._plugins",
    "KeyManager": "tigercore.keys",
    "LoginManager": "tigercore.logins",
    "Ports": "tigercore.app",
    "Settings": "tigercore.settings",
    "TigerAccountManager": "tigercore.accounts",
    "Tigercore": "tigercore.app",
    "TokenManager": "tigercore.tokens",
    "Wish": "tigercore._selection",
    "get_account_manager": "tigercore.app",
    "get_account_router": "tigercore.app",
    "get_config": "tigercore.app",
    "get_tiger_api_config": "tigercore.app",
    "get_token_manager": "tigercore.app",
    "hookimpl": "tigercore.hookspecs",
    "load_settings": "tigercore.settings",
    "open_tigercore": "tigercore.app",
    "run_on": "tigercore.app",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
