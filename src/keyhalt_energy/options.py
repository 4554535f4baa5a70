"""Execution options that an engine's `begin` listener looks at."""

WRITES = "energy_writes"
"""Whether the transaction takes the write lock; on PostgreSQL it is read-only if not."""
PATIENT = "energy_patient"
"""On PostgreSQL: its statements may take as long as they do."""
