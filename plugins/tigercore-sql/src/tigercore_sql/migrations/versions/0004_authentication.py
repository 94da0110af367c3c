"""How an account proves who it is, and an index by which attempts that have not ended are found.

A migration is history: it names its values and imports nothing of tigercore.

Revision ID: 0004
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations
from alembic.util import CommandError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_REFUSAL = "an account lives by OAuth2, which the schema of before does not know: delete it first"
_KNOWN = "tc_account_authentication_known"


def upgrade() -> None:
    """Say of every account that stands that its developer's key signs for it."""
    with _altered() as account:
        account.add_column(sa.Column("authentication", sa.Text))
    op.execute(sa.text("UPDATE tc_account SET authentication = 'SIGNATURE'"))
    with _altered() as account:
        account.alter_column("authentication", existing_type=sa.Text, nullable=False)
        account.create_check_constraint(_KNOWN, sa.text("authentication IN ('SIGNATURE', 'OAUTH2')"))
    op.create_index("tc_token_attempt_status", "tc_token_attempt", ["status", "started_at"])


def downgrade() -> None:
    """Take it back, unless an account would lose by it.

    :raises CommandError: an account has no key, but a person's consent: earlier programs cannot read it.
    """
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM tc_account WHERE authentication = 'OAUTH2'")):
        raise CommandError(_REFUSAL)
    op.drop_index("tc_token_attempt_status", "tc_token_attempt")
    with _altered() as account:
        account.drop_constraint(_KNOWN, type_="check")
        account.drop_column("authentication")


def _altered() -> AbstractContextManager[BatchOperations]:
    """Rebuild the table on SQLite, which cannot alter columns; elsewhere, alter it."""
    recreate: Literal["always", "never"] = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    return op.batch_alter_table("tc_account", recreate=recreate, table_kwargs={"sqlite_autoincrement": True})
