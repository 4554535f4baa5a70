"""Batches: what bills are entered in. Each user has one open, made with the first bill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from keyhalt import Denied, Fault, Refused
from keyhalt_energy.handling import denied, lacks
from keyhalt_energy.schema import batch
from keyhalt_energy.wire import NOT_FOUND, made_by

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from keyhalt import Need, Principal


def batch_for(
    connection: Connection,
    principal: Principal,
    at: datetime,
    *,
    wanted: int | None,
    manage: Need,
) -> int | Denied | Refused:
    """The batch that a new bill goes into: the one it names, or the caller's open one."""
    own = batch.c.datasource_id == principal.datasource_id
    if wanted is not None:
        row = connection.execute(select(batch).where(own, batch.c.id == wanted)).one_or_none()
        if row is None:
            return NOT_FOUND
        if row.created_by_id != principal.user_id and lacks(principal, manage):
            return denied(principal, manage)
        return (
            wanted if row.open else Refused(Fault.INVALID_STATE, "The batch is closed.", "batchId")
        )
    mine = select(batch.c.id).where(own, batch.c.created_by_id == principal.user_id, batch.c.open)
    number = connection.scalar(mine.order_by(batch.c.id.desc()).limit(1))
    if number is None:
        values = {"datasource_id": principal.datasource_id, "open": True}
        values |= {"code": f"{principal.user_code} {at:%Y-%m-%d}"} | made_by(principal, at)
        number = connection.scalar(insert(batch).values(values).returning(batch.c.id))
    return int(number or 0)
