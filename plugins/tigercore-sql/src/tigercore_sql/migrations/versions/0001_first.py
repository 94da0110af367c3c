"""The first schema. A migration is history: it names its values and imports nothing of tigercore.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _one_of(table: str, column: str, words: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words.split())
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"{table}_{column}_known")


def upgrade() -> None:
    """Create the tables, and the one row that counts revisions."""
    _meta()
    _account()
    _token()
    _attempt()
    _key_ring()
    _audit()


def downgrade() -> None:
    """Drop the tables with all that is in them."""
    for table in ("tc_audit", "tc_kek", "tc_key_ring", "tc_token_attempt", "tc_token", "tc_account", "tc_meta"):
        op.drop_table(table)


def _meta() -> None:
    meta = op.create_table(
        "tc_meta",
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.CheckConstraint("slot = 1", name="tc_meta_slot_one"),
    )
    op.bulk_insert(meta, [{"slot": 1, "revision": 0}])


def _account() -> None:
    op.create_table(
        "tc_account",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("account_name", sa.Text, nullable=False),
        sa.Column("account_number", sa.Text, nullable=False),
        sa.Column("account_type", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("license", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("market_permissions", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("server_url", sa.Text),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("is_default_trading", sa.Boolean, nullable=False),
        sa.Column("is_default_data", sa.Boolean, nullable=False),
        sa.Column("error_count", sa.BigInteger, nullable=False),
        sa.Column("developer", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("sealing", sa.BigInteger, nullable=False),
        _one_of("tc_account", "account_type", "STANDARD PAPER PRIME GLOBAL"),
        _one_of("tc_account", "environment", "sandbox production"),
        _one_of("tc_account", "license", "TBHK TBSG TBNZ TBAU TBUS"),
        _one_of("tc_account", "status", "ACTIVE INACTIVE SUSPENDED PENDING_VERIFICATION"),
        sqlite_autoincrement=True,
    )
    op.create_index("tc_account_id", "tc_account", ["id"], unique=True)
    op.create_index("tc_account_account_number", "tc_account", ["account_number"], unique=True)
    _one_default("trading")
    _one_default("data")


def _one_default(kind: str) -> None:
    column = f"is_default_{kind}"
    where = sa.text(column)
    name = f"tc_account_one_default_{kind}"
    op.create_index(name, "tc_account", [column], unique=True, sqlite_where=where, postgresql_where=where)


def _token() -> None:
    account = sa.ForeignKey("tc_account.id", name="tc_token_account", ondelete="CASCADE")
    op.create_table(
        "tc_token",
        sa.Column("id", sa.Uuid, account, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("sealing", sa.BigInteger, nullable=False),
        sa.Column("issued_at", sa.BigInteger),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("failures", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        _one_of("tc_token", "state", "NOT_REQUIRED VALID REFRESHING UNCERTAIN NEEDS_REAUTH DISABLED"),
    )
    op.create_index("tc_token_due", "tc_token", ["state", "next_at"])


def _attempt() -> None:
    table = "tc_token_attempt"
    op.create_table(
        table,
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("trigger_word", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("detail", sa.Text, nullable=False),
        _one_of(table, "trigger_word", "SCHEDULED MANUAL ON_DEMAND EXPIRY_SOON EXPIRED ERROR"),
        _one_of(table, "status", "STARTED SUCCEEDED REJECTED NOT_SENT RATE_LIMITED LOST OLD_ALIVE"),
        sqlite_autoincrement=True,
    )
    op.create_index("tc_token_attempt_id", table, ["id"], unique=True)
    op.create_index("tc_token_attempt_account", table, ["account_id", "started_at"])
    op.create_index("tc_token_attempt_started", table, ["started_at"])


def _key_ring() -> None:
    op.create_table(
        "tc_key_ring",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("active", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.CheckConstraint("slot = 1", name="tc_key_ring_slot_one"),
    )
    op.create_index("tc_key_ring_slot", "tc_key_ring", ["slot"], unique=True)
    ring = sa.ForeignKey("tc_key_ring.id", name="tc_kek_ring", ondelete="CASCADE")
    op.create_table(
        "tc_kek",
        sa.Column("ring_id", sa.Uuid, ring, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("blob", sa.LargeBinary, nullable=False),
        sa.Column("check_value", sa.LargeBinary, nullable=False),
        _one_of("tc_kek", "state", "staged active decrypt retired destroyed"),
    )


def _audit() -> None:
    op.create_table(
        "tc_audit",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("initiator", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        _one_of("tc_audit", "result", "success failure error"),
        _one_of("tc_audit", "severity", "low medium high critical"),
        sqlite_autoincrement=True,
    )
