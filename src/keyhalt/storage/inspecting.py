"""Are the stores as this version needs them? Each fault in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from keyhalt.storage import migrate
from keyhalt.storage.schema import RIGHTS, SIGN_INS, USE
from keyhalt.storage.stores import engine_of
from keyhalt.storage.transactions import transaction
from keyhalt.usecases.ports import UnfitStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, MetaData

    from keyhalt.storage.stores import Stores

METADATA = {"rights": RIGHTS, "use": USE, "signins": SIGN_INS}
_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")


def faults_of_schema(stores: Stores) -> list[str]:
    """Versions first; where they are right, every table, column, index and constraint."""
    faults: list[str] = []
    for name, metadata in METADATA.items():
        engine = engine_of(stores, name)
        try:
            if not migrate.is_current(name, engine):
                faults.append(f"{name}: the schema is of another version; run 'keyhalt db upgrade'")
                continue
        except UnfitStoreError as error:
            faults.append(str(error))
            continue
        with transaction(engine, write=False) as connection:
            faults += [f"{name}: {fault}" for fault in _compared(connection, metadata)]
    return faults


def faults_of_privileges(stores: Stores) -> list[str]:
    """What the database's user may not do and has to. None of it needs a superuser."""
    if stores.rights.dialect.name == "sqlite":
        return []
    with transaction(stores.rights, write=False) as connection:
        there = set(inspect(connection).get_table_names())
        return [
            fault
            for metadata in METADATA.values()
            for name in metadata.tables
            if name in there
            for fault in _forbidden(connection, name)
        ]


def _compared(connection: Connection, metadata: MetaData) -> Iterator[str]:
    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in metadata.tables

    context = MigrationContext.configure(
        connection, opts={"include_name": ours, "compare_type": True}
    )
    for difference in compare_metadata(context, metadata):
        for each in difference if isinstance(difference, list) else [difference]:
            sentence = _sentence(each)
            if sentence:
                yield sentence


def _sentence(difference: tuple[Any, ...]) -> str | None:
    """An index more than there must be is the administrator's own, and no fault."""
    what, *of = difference
    if what == "add_table":
        return f"the table {of[0].name} is missing"
    if what in {"add_column", "remove_column"}:
        fault = "is missing" if what == "add_column" else "is none of this version"
        return f"the column {of[1]}.{of[2].name} {fault}"
    if what == "remove_index":
        return None
    if what.startswith(("add_", "remove_")):
        fault = "is missing" if what.startswith("add_") else "is none of this version"
        kind = "index" if what.endswith("index") else "constraint"
        return f"the {kind} {of[0].name} of the table {of[0].table.name} {fault}"
    return f"the column {of[1]}.{of[2]} is not as it must be ({what.removeprefix('modify_')})"


def _forbidden(connection: Connection, name: str) -> Iterator[str]:
    quoted = connection.dialect.identifier_preparer.quote(name)
    query = text("SELECT has_table_privilege(:name, :what)")
    for what in _PRIVILEGES:
        if not connection.execute(query, {"name": quoted, "what": what}).scalar_one():
            yield f"the database's user may not {what} on the table {name}"
    sequence = text(
        "SELECT has_sequence_privilege(found, 'USAGE') FROM"
        " (SELECT pg_get_serial_sequence(:name, 'id') AS found) AS one WHERE found IS NOT NULL"
    )
    columns = {column["name"] for column in inspect(connection).get_columns(name)}
    if "id" in columns and connection.execute(sequence, {"name": quoted}).scalar() is False:
        yield f"the database's user may not make ids for the table {name} (USAGE on its sequence)"
