"""Bearer tokens in the store of sign-ins, by the digest of their text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import LargeBinary, and_, insert, literal, select, update

from keyhalt.storage.columns import Utc
from keyhalt.storage.schema import bearer_token, web_session
from keyhalt.storage.sign_ins import note_sign_in
from keyhalt.storage.transactions import transaction

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

    from keyhalt.core.principals import UserFacts


class SqlTokens:
    def __init__(self, signins: Engine) -> None:
        self._engine = signins

    def add(
        self, digest: bytes, *, user: UserFacts, created_at: datetime, expires_at: datetime
    ) -> int:
        row = insert(bearer_token).values(
            digest=digest,
            datasource_id=user.datasource_id,
            user_id=user.user_id,
            sign_in_generation=user.sign_in_generation,
            created_at=created_at,
            expires_at=expires_at,
        )
        with transaction(self._engine, write=True) as connection:
            note_sign_in(connection, user, created_at)
            return int(connection.execute(row.returning(bearer_token.c.id)).scalar_one())

    def add_twin(
        self, datasource_id: int, token_id: int, *, digest: bytes, at: datetime
    ) -> int | None:
        """In one statement: nothing ends the one between being read and being copied."""
        kept = ("datasource_id", "user_id", "sign_in_generation", "expires_at")
        twin = select(
            literal(digest, LargeBinary), literal(at, Utc), *(bearer_token.c[name] for name in kept)
        ).where(
            bearer_token.c.datasource_id == datasource_id,
            bearer_token.c.id == token_id,
            bearer_token.c.ended_at.is_(None),
            bearer_token.c.expires_at > at,
        )
        row = insert(bearer_token).from_select(["digest", "created_at", *kept], twin)
        with transaction(self._engine, write=True) as connection:
            return connection.execute(row.returning(bearer_token.c.id)).scalar_one_or_none()

    def end(self, digest: bytes, at: datetime) -> bool:
        row = and_(bearer_token.c.digest == digest, bearer_token.c.ended_at.is_(None))
        with transaction(self._engine, write=True) as connection:
            ended = connection.execute(update(bearer_token).where(row).values(ended_at=at))
            return bool(ended.rowcount)

    def end_all(self, at: datetime) -> int:
        with transaction(self._engine, write=True) as connection:
            return sum(
                connection.execute(
                    update(t).where(t.c.ended_at.is_(None)).values(ended_at=at)
                ).rowcount
                for t in (bearer_token, web_session)
            )
