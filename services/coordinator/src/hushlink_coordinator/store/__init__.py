"""The only door to Postgres: facts in, facts out; domain types at this edge, rows behind it."""
