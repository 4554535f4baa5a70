"""What every handler has: the store, the catalogue, and the shape of its work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt import Call, Denied, Fault, Need, Principal, Reason, Refused, Reply
from keyhalt_energy.pages import Listing, read_page, row_of
from keyhalt_energy.rows import Row
from keyhalt_energy.scope import reach_of
from keyhalt_energy.wire import NOT_FOUND, reduced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from keyhalt_energy.scope import Reach
    from keyhalt_energy.store import Store

NO_CONTENT = Reply(status=204)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Lists and single entries of one noun. `render` makes answers of rows, many at a time."""

    store: Store
    listing: Listing
    render: Callable[[Connection, Reach, Sequence[Row]], list[dict[str, object]]]

    def list(self, call: Call) -> Reply | Refused:
        reach = reach_of(call.principal)
        with self.store.read() as connection:
            found = read_page(connection, self.listing, reach, call.query)
            if isinstance(found, Refused):
                return found
            bodies = self.render(connection, reach, found.rows)
        return Reply([reduced(body, call.query) for body in bodies], headers=found.headers)

    def get(self, call: Call, name: str) -> Reply | Denied:
        """The one whose id the path has as `name`."""
        reach = reach_of(call.principal)
        with self.store.read() as connection:
            body = self.one(connection, reach, call.ids[name])
        return NOT_FOUND if body is None else Reply(reduced(body, call.query))

    def one(self, connection: Connection, reach: Reach, number: int) -> dict[str, object] | None:
        row = row_of(connection, self.listing, reach, number)
        return None if row is None else self.render(connection, reach, [row])[0]


def lacks(principal: Principal, need: Need) -> bool:
    """Whether the caller has not the one permission more that an action turned out to need."""
    return principal.permissions & need.bits != need.bits


def denied(principal: Principal, need: Need) -> Denied:
    return Denied(
        Reason.PERMISSION_DENIED,
        need=str(need),
        user_id=principal.user_id,
        datasource_id=principal.datasource_id,
        credential=principal.credential,
    )


def switch(query: Mapping[str, str], name: str) -> bool | Refused:
    """A switch of the query: `true` or `false` in any case; absent or empty is false."""
    value = query.get(name, "").lower()
    if value in ("", "false", "true"):
        return value == "true"
    return Refused(Fault.INVALID_QUERY, f"{name} must be true or false.", name)
