"""The tables. Times are UTC microseconds since 1970 as integers: they come back exactly, on every engine."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)

from tigercore.model import (
    AccountStatus,
    AccountType,
    AuditResult,
    AuditSeverity,
    Authentication,
    Environment,
    KeyState,
    License,
    RefreshTrigger,
    TokenRefreshStatus,
    TokenState,
)
from tigercore_sql.metadata import METADATA as METADATA
from tigercore_sql.metadata import SEALED, Number, counted, one_of, only_one
from tigercore_sql.metadata import VERSION_TABLE as VERSION_TABLE
from tigercore_sql.order_tables import API_KEY as API_KEY
from tigercore_sql.order_tables import INTENT as INTENT
from tigercore_sql.order_tables import ORDER as ORDER
from tigercore_sql.order_tables import PROCESS as PROCESS


def _one_default(kind: str) -> Index:
    column = f"is_default_{kind}"
    where = text(column)
    return Index(f"tc_account_one_default_{kind}", column, unique=True, sqlite_where=where, postgresql_where=where)


META = Table(
    "tc_meta",
    METADATA,
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    only_one("tc_meta"),
)

ACCOUNT = Table(
    "tc_account",
    METADATA,
    Column("number", Number, primary_key=True),  # the order of creation
    Column("id", Uuid, nullable=False),
    Column("account_name", Text, nullable=False),
    Column("account_number", Text, nullable=False),
    Column("account_type", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("license", Text),
    Column("status", Text, nullable=False),
    Column("market_permissions", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("server_url", Text),
    Column("weight", Double, nullable=False),
    Column("is_default_trading", Boolean, nullable=False),
    Column("is_default_data", Boolean, nullable=False),
    Column("error_count", BigInteger, nullable=False),
    Column("developer", Text, nullable=False),
    Column("authentication", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),  # of the batch that put it last
    Column("sealed", LargeBinary, nullable=False, info=SEALED),
    Column("sealing", BigInteger, nullable=False),
    Column("kek", BigInteger, nullable=False),
    counted("tc_account"),
    one_of("tc_account", "account_type", AccountType),
    one_of("tc_account", "environment", Environment),
    one_of("tc_account", "license", License),
    one_of("tc_account", "status", AccountStatus),
    one_of("tc_account", "authentication", Authentication),
    Index("tc_account_id", "id", unique=True),
    Index("tc_account_account_number", "account_number", unique=True),
    Index("tc_account_kek", "kek"),
    Index("tc_account_revision", "revision"),
    _one_default("trading"),
    _one_default("data"),
    sqlite_autoincrement=True,
)

TOKEN = Table(
    "tc_token",
    METADATA,
    Column("id", Uuid, ForeignKey("tc_account.id", name="tc_token_account", ondelete="CASCADE"), primary_key=True),
    Column("state", Text, nullable=False),
    Column("sealed", LargeBinary, info=SEALED),
    Column("sealing", BigInteger, nullable=False),
    Column("kek", BigInteger, nullable=False),
    Column("issued_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("next_at", BigInteger),
    Column("owner", Text),
    Column("lease_until", BigInteger),
    Column("failures", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),  # of the batch that put it last
    counted("tc_token"),
    one_of("tc_token", "state", TokenState),
    Index("tc_token_due", "state", "next_at"),
    Index("tc_token_kek", "kek"),
    Index("tc_token_revision", "revision"),
)

REMOVED = Table(
    "tc_removed",  # what a reader who was away must forget
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Index("tc_removed_revision", "revision"),
)

ATTEMPT = Table(
    "tc_token_attempt",  # no foreign key: attempts outlive their account
    METADATA,
    Column("number", Number, primary_key=True),
    Column("id", Uuid, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("trigger_word", Text, nullable=False),  # TRIGGER is a word of SQL
    Column("status", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("detail", Text, nullable=False),
    one_of("tc_token_attempt", "trigger_word", RefreshTrigger),
    one_of("tc_token_attempt", "status", TokenRefreshStatus),
    Index("tc_token_attempt_id", "id", unique=True),
    Index("tc_token_attempt_account", "account_id", "started_at"),
    Index("tc_token_attempt_started", "started_at"),
    Index("tc_token_attempt_status", "status", "started_at"),
    sqlite_autoincrement=True,
)

KEY_RING = Table(
    "tc_key_ring",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("slot", Integer, nullable=False),  # always 1, and unique: an installation has one ring
    Column("active", BigInteger, nullable=False),
    Column("min_decrypt", BigInteger, nullable=False),
    Column("frozen", Boolean, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("recovery", Text, nullable=False),
    Column("hash_key", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Column("version", BigInteger, nullable=False),
    only_one("tc_key_ring"),
    Index("tc_key_ring_slot", "slot", unique=True),
)

KEK = Table(
    "tc_kek",
    METADATA,
    Column("ring_id", Uuid, ForeignKey("tc_key_ring.id", name="tc_kek_ring", ondelete="CASCADE"), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("check_value", LargeBinary, nullable=False),
    Column("created_at", BigInteger),
    one_of("tc_kek", "state", KeyState),
)

KEK_SLOT = Table(
    "tc_kek_slot",
    METADATA,
    Column("ring_id", Uuid, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("provider", Text, primary_key=True),
    Column("position", Integer, nullable=False),  # the order in which the slots were put
    Column("blob", LargeBinary, nullable=False),
    ForeignKeyConstraint(
        ["ring_id", "version"], ["tc_kek.ring_id", "tc_kek.version"], name="tc_kek_slot_kek", ondelete="CASCADE"
    ),
)

AUDIT = Table(
    "tc_audit",
    METADATA,
    Column("number", Number, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("initiator", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("details", Text, nullable=False),
    one_of("tc_audit", "result", AuditResult),
    one_of("tc_audit", "severity", AuditSeverity),
    sqlite_autoincrement=True,  # a number is never given twice, not even after the last line was deleted
)
