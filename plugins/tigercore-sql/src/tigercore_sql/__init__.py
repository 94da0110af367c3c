"""Tables, migrations and the account store in SQLAlchemy Core, shared by the SQL drivers of tigercore."""
