"""What a change feed that tells only what changed needs, and tables for orders, API keys and processes.

A migration is history: it names its values and imports nothing of tigercore.

Revision ID: 0003
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STAMPED = {"tc_account": {"sqlite_autoincrement": True}, "tc_token": {}}
_INTENT_STATES = "PREPARED SENDING ACKED REJECTED UNKNOWN RECONCILING FOUND ABSENT MANUAL"


def upgrade() -> None:
    """Tell of each row which batch has put it last: all that stands counts as put now."""
    for table, options in _STAMPED.items():
        with _altered(table, options) as stamped:
            stamped.add_column(sa.Column("revision", sa.BigInteger))
        op.execute(sa.text(f"UPDATE {table} SET revision = (SELECT revision FROM tc_meta)"))  # noqa: S608
        with _altered(table, options) as stamped:
            stamped.alter_column("revision", existing_type=sa.BigInteger, nullable=False)
            stamped.create_check_constraint(f"{table}_version_counted", sa.text("version > 0"))
        op.create_index(f"{table}_revision", table, ["revision"])
    op.create_table(
        "tc_removed",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_index("tc_removed_revision", "tc_removed", ["revision"])
    _intent()
    _order()
    _api_key()
    _process()


def downgrade() -> None:
    """Take it all back; accounts, tokens, keys and the log stay."""
    for table in ("tc_process", "tc_api_key", "tc_order", "tc_intent", "tc_removed"):
        op.drop_table(table)
    for table, options in _STAMPED.items():
        op.drop_index(f"{table}_revision", table)
        with _altered(table, options) as stamped:
            stamped.drop_constraint(f"{table}_version_counted", type_="check")
            stamped.drop_column("revision")


def _altered(table: str, options: dict[str, bool]) -> AbstractContextManager[BatchOperations]:
    """Rebuild the table on SQLite, which cannot alter columns; elsewhere, alter it."""
    recreate: Literal["always", "never"] = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    return op.batch_alter_table(table, recreate=recreate, table_kwargs=options)


def _one_of(table: str, column: str, words: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words.split())
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"{table}_{column}_known")


def _intent() -> None:
    op.create_table(
        "tc_intent",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("request_hash", sa.LargeBinary, nullable=False),
        sa.Column("client_order_id", sa.BigInteger),
        sa.Column("order_id", sa.BigInteger),
        sa.Column("user_mark", sa.Text, nullable=False),
        sa.Column("valid_until", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.CheckConstraint("version > 0", name="tc_intent_version_counted"),
        _one_of("tc_intent", "state", _INTENT_STATES),
    )
    op.create_index("tc_intent_state", "tc_intent", ["state", "updated_at"])
    op.create_index("tc_intent_account", "tc_intent", ["account_id", "created_at"])
    op.create_index("tc_intent_user_mark", "tc_intent", ["user_mark"], unique=True)


def _order() -> None:
    op.create_table(
        "tc_order",
        sa.Column("environment", sa.Text, primary_key=True),
        sa.Column("order_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("intent_id", sa.Uuid),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        _one_of("tc_order", "environment", "sandbox production"),
    )
    op.create_index("tc_order_account", "tc_order", ["account_id", "created_at"])


def _api_key() -> None:
    op.create_table(
        "tc_api_key",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("live", sa.Boolean, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("kek", sa.BigInteger, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("accounts", sa.Text, nullable=False),
        sa.Column("networks", sa.Text, nullable=False),
        sa.Column("per_hour", sa.Integer),
        sa.Column("per_day", sa.Integer),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("last_used_at", sa.BigInteger),
        sa.Column("former_hash", sa.LargeBinary),
        sa.Column("former_until", sa.BigInteger),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.CheckConstraint("version > 0", name="tc_api_key_version_counted"),
        sa.CheckConstraint("per_hour > 0 AND per_day > 0", name="tc_api_key_limits_positive"),
        sa.CheckConstraint("expires_at > created_at", name="tc_api_key_expires_later"),
    )


def _process() -> None:
    op.create_table(
        "tc_process",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("program", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.CheckConstraint("seen_at >= started_at", name="tc_process_seen_later"),
    )
    op.create_index("tc_process_seen", "tc_process", ["seen_at"])
