"""What orders leave behind, and who may place them: intents, who owns an order, API keys, and the open programs."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text, Uuid

from tigercore.model import Environment
from tigercore_sql.metadata import METADATA, counted, one_of

_INTENT_STATES = ["PREPARED", "SENDING", "ACKED", "REJECTED", "UNKNOWN", "RECONCILING", "FOUND", "ABSENT", "MANUAL"]

INTENT = Table(
    "tc_intent",  # no foreign key: what became of an order outlives its account
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, nullable=False),
    Column("method", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("request_hash", LargeBinary, nullable=False),  # the same id with another request is refused
    Column("client_order_id", BigInteger),  # asked from the gateway before the order is sent
    Column("order_id", BigInteger),
    Column("user_mark", Text, nullable=False),
    Column("valid_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    counted("tc_intent"),
    one_of("tc_intent", "state", _INTENT_STATES),
    Index("tc_intent_state", "state", "updated_at"),
    Index("tc_intent_account", "account_id", "created_at"),
    Index("tc_intent_user_mark", "user_mark", unique=True),
)

ORDER = Table(
    "tc_order",  # which account an order belongs to
    METADATA,
    Column("environment", Text, primary_key=True),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", Uuid, nullable=False),
    Column("intent_id", Uuid),
    Column("created_at", BigInteger, nullable=False),
    one_of("tc_order", "environment", Environment),
    Index("tc_order_account", "account_id", "created_at"),
)

API_KEY = Table(
    "tc_api_key",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("hash", LargeBinary, nullable=False),  # keyed, over the key and all columns that it may do more with
    Column("kek", BigInteger, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("accounts", Text, nullable=False),
    Column("networks", Text, nullable=False),
    Column("per_hour", Integer),
    Column("per_day", Integer),
    Column("epoch", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("former_hash", LargeBinary),  # of the key that a rotation has replaced,
    Column("former_until", BigInteger),  # which is good until then
    Column("version", BigInteger, nullable=False),
    counted("tc_api_key"),
    CheckConstraint("per_hour > 0 AND per_day > 0", name="tc_api_key_limits_positive"),
    CheckConstraint("expires_at > created_at", name="tc_api_key_expires_later"),
)

PROCESS = Table(
    "tc_process",  # who shares the budgets of this store; the times are the database's own
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("program", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    CheckConstraint("seen_at >= started_at", name="tc_process_seen_later"),
    Index("tc_process_seen", "seen_at"),
)
