"""When each user signed in last, in the store of sign-ins; it outlives tokens and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from keyhalt.storage.schema import last_sign_in
from keyhalt.storage.transactions import transaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from keyhalt.core.principals import UserFacts


def note_sign_in(connection: Connection, user: UserFacts, at: datetime) -> None:
    """In the transaction of the token or the session that it gives."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = dialect.insert(last_sign_in).values(
        datasource_id=user.datasource_id, user_id=user.user_id, at=at
    )
    later = row.on_conflict_do_update(
        index_elements=["datasource_id", "user_id"],
        set_={"at": row.excluded.at},
        where=row.excluded.at > last_sign_in.c.at,
    )
    connection.execute(later)


class SqlSignIns:
    """Implements SignInReader."""

    def __init__(self, signins: Engine) -> None:
        self._engine = signins

    def last(self, datasource_id: int, user_ids: Sequence[int] | None) -> Mapping[int, datetime]:
        query = select(last_sign_in).where(last_sign_in.c.datasource_id == datasource_id)
        if user_ids is not None:
            query = query.where(last_sign_in.c.user_id.in_(user_ids))
        with transaction(self._engine, write=False) as connection:
            return {row.user_id: row.at for row in connection.execute(query)}
