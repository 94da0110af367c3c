"""The tables. Times are UTC microseconds since 1970 as integers: they come back exactly, on every engine."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
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
    Environment,
    KeyState,
    License,
    RefreshTrigger,
    TokenRefreshStatus,
    TokenState,
)

METADATA = MetaData()
VERSION_TABLE = "tc_schema"

SEALED = {"sealed": True}
"""Marks a column that holds what a key of the ring has sealed; `kek` of the same row is that key's version."""

_Number = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts rows only in a column of type INTEGER


def _one_of(table: str, column: str, words: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{word.value}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{table}_{column}_known")


def _only_one(table: str) -> CheckConstraint:
    return CheckConstraint("slot = 1", name=f"{table}_slot_one")


def _one_default(kind: str) -> Index:
    column = f"is_default_{kind}"
    where = text(column)
    return Index(f"tc_account_one_default_{kind}", column, unique=True, sqlite_where=where, postgresql_where=where)


META = Table(
    "tc_meta",
    METADATA,
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    _only_one("tc_meta"),
)

ACCOUNT = Table(
    "tc_account",
    METADATA,
    Column("number", _Number, primary_key=True),  # the order of creation
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
    Column("version", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False, info=SEALED),
    Column("sealing", BigInteger, nullable=False),
    Column("kek", BigInteger, nullable=False),
    _one_of("tc_account", "account_type", AccountType),
    _one_of("tc_account", "environment", Environment),
    _one_of("tc_account", "license", License),
    _one_of("tc_account", "status", AccountStatus),
    Index("tc_account_id", "id", unique=True),
    Index("tc_account_account_number", "account_number", unique=True),
    Index("tc_account_kek", "kek"),
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
    _one_of("tc_token", "state", TokenState),
    Index("tc_token_due", "state", "next_at"),
    Index("tc_token_kek", "kek"),
)

ATTEMPT = Table(
    "tc_token_attempt",  # no foreign key: attempts outlive their account
    METADATA,
    Column("number", _Number, primary_key=True),
    Column("id", Uuid, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("trigger_word", Text, nullable=False),  # TRIGGER is a word of SQL
    Column("status", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("detail", Text, nullable=False),
    _one_of("tc_token_attempt", "trigger_word", RefreshTrigger),
    _one_of("tc_token_attempt", "status", TokenRefreshStatus),
    Index("tc_token_attempt_id", "id", unique=True),
    Index("tc_token_attempt_account", "account_id", "started_at"),
    Index("tc_token_attempt_started", "started_at"),
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
    _only_one("tc_key_ring"),
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
    _one_of("tc_kek", "state", KeyState),
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
    Column("number", _Number, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("initiator", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("details", Text, nullable=False),
    _one_of("tc_audit", "result", AuditResult),
    _one_of("tc_audit", "severity", AuditSeverity),
    sqlite_autoincrement=True,  # a number is never given twice, not even after the last line was deleted
)
