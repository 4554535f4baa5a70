"""Sessions of the web pages in the store of sign-ins, and the pads of keys to be shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, insert, select, update

from keyhalt.storage.schema import key_pad, web_session
from keyhalt.storage.sign_ins import note_sign_in
from keyhalt.storage.transactions import transaction
from keyhalt.usecases.rows import SessionRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Engine

    from keyhalt.core.principals import UserFacts


class SqlSessions:
    def __init__(self, signins: Engine) -> None:
        self._engine = signins

    def add(
        self, digest: bytes, *, user: UserFacts, created_at: datetime, expires_at: datetime
    ) -> int:
        row = insert(web_session).values(
            digest=digest,
            datasource_id=user.datasource_id,
            user_id=user.user_id,
            sign_in_generation=user.sign_in_generation,
            created_at=created_at,
            seen_at=created_at,
            expires_at=expires_at,
        )
        with transaction(self._engine, write=True) as connection:
            note_sign_in(connection, user, created_at)
            return int(connection.execute(row.returning(web_session.c.id)).scalar_one())

    def seen(self, datasource_id: int, session_id: int, at: datetime) -> None:
        row = and_(
            web_session.c.datasource_id == datasource_id,
            web_session.c.id == session_id,
            web_session.c.seen_at < at,
        )
        with transaction(self._engine, write=True) as connection:
            connection.execute(update(web_session).where(row).values(seen_at=at))

    def end(self, digest: bytes, at: datetime) -> bool:
        return self._end(web_session.c.digest == digest, at)

    def end_one(self, datasource_id: int, session_id: int, at: datetime) -> bool:
        which = and_(web_session.c.datasource_id == datasource_id, web_session.c.id == session_id)
        return self._end(which, at)

    def living(self, user: UserFacts, now: datetime, seen_after: datetime) -> Sequence[SessionRow]:
        """Newest first. Those of an earlier sign-in generation ended with it."""
        counts = and_(
            web_session.c.datasource_id == user.datasource_id,
            web_session.c.user_id == user.user_id,
            web_session.c.sign_in_generation == user.sign_in_generation,
            web_session.c.ended_at.is_(None),
            web_session.c.expires_at > now,
            web_session.c.seen_at > seen_after,
        )
        query = select(
            web_session.c.id,
            web_session.c.created_at,
            web_session.c.seen_at,
            web_session.c.expires_at,
        )
        query = query.where(counts).order_by(web_session.c.id.desc())
        with transaction(self._engine, write=False) as connection:
            return [SessionRow(*row) for row in connection.execute(query)]

    def _end(self, which: ColumnElement[bool], at: datetime) -> bool:
        row = and_(which, web_session.c.ended_at.is_(None))
        with transaction(self._engine, write=True) as connection:
            ended = connection.execute(update(web_session).where(row).values(ended_at=at))
            return bool(ended.rowcount)


class SqlPads:
    def __init__(self, signins: Engine) -> None:
        self._engine = signins

    def keep(
        self,
        datasource_id: int,
        session_id: int,
        key_id: int,
        *,
        pad: bytes,
        at: datetime,
        expires_at: datetime,
    ) -> None:
        row = insert(key_pad).values(
            datasource_id=datasource_id,
            session_id=session_id,
            key_id=key_id,
            pad=pad,
            expires_at=expires_at,
        )
        with transaction(self._engine, write=True) as connection:
            connection.execute(delete(key_pad).where(key_pad.c.expires_at <= at))
            connection.execute(row)

    def take(self, datasource_id: int, session_id: int, key_id: int, at: datetime) -> bytes | None:
        """In one statement, so that of two who ask at once one gets it."""
        row = and_(
            key_pad.c.datasource_id == datasource_id,
            key_pad.c.session_id == session_id,
            key_pad.c.key_id == key_id,
        )
        taken = delete(key_pad).where(row).returning(key_pad.c.pad, key_pad.c.expires_at)
        with transaction(self._engine, write=True) as connection:
            found = connection.execute(taken).one_or_none()
        return found.pad if found is not None and at < found.expires_at else None
