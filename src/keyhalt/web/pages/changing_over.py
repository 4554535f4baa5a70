"""The guided changeover: a key has no other value to change to, so a second one takes its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied, permit
from keyhalt.usecases.rows import KeySearch
from keyhalt.web.pages.asking import Row, Shown

if TYPE_CHECKING:
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.web.pages.asking import Answer, Ask
    from keyhalt.web.pages.uses import Uses

_NEWER = 5


@dataclass(frozen=True, slots=True)
class ChangingOverPages:
    look_up: LookUp
    uses: Uses
    needs: Needs

    def rows(self) -> list[Row]:
        return [Row("GET", "/keys/{key}/changeover", self.get)]

    def get(self, ask: Ask) -> Answer:
        """Where the changeover stands is read off the use of both keys; nothing is kept of it."""
        where = ask.principal.datasource_id
        no = permit(ask.principal, self.needs.manage_keys)
        row = no or self.look_up.key(where, ask.ids["key"])
        if isinstance(row, Denied):
            return row
        search = KeySearch(owner_id=row.owner_id, take=_NEWER)
        keys, _ = self.look_up.key_page(where, search)
        newer = [key for key in keys if key.id > row.id]
        uses = self.uses.of(where, [row.id, *(key.id for key in newer)])
        values = {
            "row": row,
            "newer": newer,
            "uses": uses,
            "yours": row.owner_id == ask.principal.user_id,
        }
        return Shown("changeover.html", values)
