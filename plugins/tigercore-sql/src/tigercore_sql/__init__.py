"""Tables, migrations and the account store in SQLAlchemy Core, shared by the SQL drivers of tigercore."""

from tigercore_sql.revision import require_head as require_head
from tigercore_sql.runner import READ_ONLY as READ_ONLY
from tigercore_sql.runner import Runner as Runner
from tigercore_sql.store import SqlAccountStore as SqlAccountStore
from tigercore_sql.tables import VERSION_TABLE as VERSION_TABLE
