"""Where the data lies, and execution options that an engine's `begin` listener looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

WRITES = "energy_writes"
"""Whether the transaction takes the write lock; on PostgreSQL it is read-only if not."""
PATIENT = "energy_patient"
"""On PostgreSQL: its statements may take as long as they do."""


class Where(Protocol):
    """What is used of an `AppContext`, which is one."""

    @property
    def folder(self) -> Path | None: ...
    @property
    def database_url(self) -> str | None: ...
    @property
    def database_direct_url(self) -> str | None: ...
    @property
    def database_pool(self) -> int: ...
    @property
    def database_statement_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Place:
    """A `Where` that a person named."""

    folder: Path | None = None
    database_url: str | None = None
    database_direct_url: str | None = None
    database_pool: int = 1
    database_statement_seconds: float = 5.0
