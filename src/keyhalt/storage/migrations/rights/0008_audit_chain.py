"""The chain of changes: each row of the audit log holds its hash and that of the row before.

Rows that are there are chained in their order. Written once and never changed.
"""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "rights_0008"
down_revision = "rights_0007"
branch_labels = None
depends_on = None

_PAGE = 1000
_COLUMNS = (
    "id, version, {at}, event, outcome, reason, actor, user_id, credential_kind, credential_id,"
    " datasource_id, object_type, object_id, request_id, source, operation, {details}, epoch"
)
_TEXTS = {
    "sqlite": {"at": "at", "details": "details"},
    "postgresql": {
        "at": "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24\\:MI\\:SS.US\"Z\"')",
        "details": "CAST(details AS TEXT)",
    },
}


def upgrade() -> None:
    for name in ("previous", "hash"):
        column = sa.Column(name, sa.LargeBinary(length=32), nullable=False, server_default="")
        op.add_column("audit_event", column)
    connection = op.get_bind()
    columns = _COLUMNS.format(**_TEXTS[connection.dialect.name])
    query = sa.text(
        f"SELECT {columns} FROM audit_event WHERE id > :after ORDER BY id LIMIT {_PAGE}"  # noqa: S608
    )
    write = sa.text("UPDATE audit_event SET previous = :previous, hash = :hash WHERE id = :id")
    previous, after = bytes(32), 0
    while True:
        chained = []
        for row in connection.execute(query, {"after": after}).all():
            line = json.dumps([1, *row], separators=(",", ":")).encode("ascii")
            digest = hashlib.sha256(previous + line).digest()
            chained.append({"id": row[0], "previous": previous, "hash": digest})
            previous, after = digest, row[0]
        if not chained:
            return
        connection.execute(write, chained)
