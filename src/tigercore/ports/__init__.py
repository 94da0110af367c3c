"""The four ports: values, abstract classes and the contract of each in one file."""

from tigercore.clock import Clock as Clock
from tigercore.ports._driver import Driver as Driver
from tigercore.ports._driver import DriverContext as DriverContext
from tigercore.ports._driver import NoOptions as NoOptions
from tigercore.ports._schema import Schema as Schema
from tigercore.ports._schema import SchemaStatus as SchemaStatus
from tigercore.ports.balancer import Candidate as Candidate
from tigercore.ports.balancer import LoadBalancer as LoadBalancer
from tigercore.ports.cipher import Cipher as Cipher
from tigercore.ports.client import Authorization as Authorization
from tigercore.ports.client import Endpoint as Endpoint
from tigercore.ports.client import GatewayRequest as GatewayRequest
from tigercore.ports.client import Prompt as Prompt
from tigercore.ports.client import Signer as Signer
from tigercore.ports.client import TigerClient as TigerClient
from tigercore.ports.store import AccountRow as AccountRow
from tigercore.ports.store import AccountStore as AccountStore
from tigercore.ports.store import AttemptStatistics as AttemptStatistics
from tigercore.ports.store import AuditLine as AuditLine
from tigercore.ports.store import Change as Change
from tigercore.ports.store import Delta as Delta
from tigercore.ports.store import Put as Put
from tigercore.ports.store import Record as Record
from tigercore.ports.store import Remove as Remove
from tigercore.ports.store import TokenAttempt as TokenAttempt
from tigercore.ports.store import TokenRow as TokenRow
