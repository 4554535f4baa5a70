"""API Keys and Webhooks: the list, a key's own page, deleting one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied, permit
from keyhalt.core.refusals import Refused
from keyhalt.web.api.receipts import receipt_json
from keyhalt.web.pages import finding
from keyhalt.web.pages.asking import Data, Moved, Row, Shown
from keyhalt.web.pages.render import status_of
from keyhalt.web.pages.troubles import TROUBLES
from keyhalt.web.pages.words import receipt_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt.core.decisions import Here
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.issue import IssueKey
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.usecases.revoke import DeleteKey
    from keyhalt.usecases.rows import KeyRow
    from keyhalt.web.pages.advising import AdvicePages
    from keyhalt.web.pages.asking import Answer, Ask
    from keyhalt.web.pages.uses import Uses

_NOTICES = {"saved": "Saved."}


@dataclass(frozen=True, slots=True)
class KeyPages:
    issue: IssueKey
    delete_key: DeleteKey
    look_up: LookUp
    profile: Profile
    here: Here
    uses: Uses
    advice: AdvicePages

    def rows(self) -> list[Row]:
        one = "/keys/{key}"
        return [
            Row("GET", "/", self.home),
            Row("GET", "/keys", self.list),
            Row("POST", "/keys/search", self.search),
            Row("GET", one, self.show),
            Row("POST", one, self.edit),
            Row("GET", f"{one}/delete", self.ask_delete),
            Row("POST", f"{one}/delete", self.delete),
            Row("GET", f"{one}/receipt", self.receipt),
            Row("GET", "/webhooks", self.webhooks),
        ]

    def home(self, _ask: Ask) -> Answer:
        return Moved("/keys")

    def list(self, ask: Ask) -> Answer:
        no = permit(ask.principal, self.profile.needs.view_keys)
        if no is not None:
            return no
        if finding.is_secret(ask.query.get("q", "")):
            return Moved(self._address(ask, ask.query, "address"))
        search, where = finding.search_of(ask.query), ask.principal.datasource_id
        asked = search.asked(ask.principal)
        if search.state == "unused":
            used, since = self.uses.used_lately(where)
            asked = replace(asked, but=used, created_before=since)
        if search.order in finding.BY_USE:
            rows, found = self.look_up.key_page_by_use(
                where, asked, self.uses.recent(where), idle_first=search.order == "idle"
            )
        else:
            rows, found = self.look_up.key_page(where, asked)
        values = {
            "search": search,
            "rows": rows,
            "found": found,
            "uses": self.uses.of(where, [row.id for row in rows]),
            "advice": self.advice.of(where, rows) or {},
            "narrowed": search.narrowed,
            "more": search.first + len(rows) < found,
            "notice": finding.NOTICES.get(search.notice, ""),
            "may": self._may(ask),
            "need": self.profile.needs.manage_keys,
        }
        return Shown("keys.html", values)

    def search(self, ask: Ask) -> Answer:
        """A form's body and never an address: what is pasted may be a key."""
        no = permit(ask.principal, self.profile.needs.view_keys)
        return Moved(self._address(ask, ask.form, "pasted")) if no is None else no

    def show(self, ask: Ask) -> Answer:
        row = self._row(ask)
        if isinstance(row, Denied):
            return row
        notice = _NOTICES.get(ask.query.get("said", ""), "")
        return self._shown(ask, row, row.name, row.description, notice=notice)

    def edit(self, ask: Ask) -> Answer:
        name, description = ask.form.get("name", ""), _lines(ask.form.get("description", ""))
        edited = self.issue.edit(
            ask.principal,
            datasource_id=ask.principal.datasource_id,
            key_id=ask.ids["key"],
            name=name,
            description=description,
            origin=ask.origin,
        )
        if isinstance(edited, Refused):
            row = self._row(ask)
            if isinstance(row, Denied):
                return row
            return self._shown(ask, row, name, description, refused=edited)
        return edited if isinstance(edited, Denied) else Moved(f"/keys/{edited.id}?said=saved")

    def ask_delete(self, ask: Ask) -> Answer:
        no = permit(ask.principal, self.profile.needs.manage_keys)
        row = no or self._row(ask)
        if isinstance(row, Denied):
            return row
        return self._delete_form(row)

    def delete(self, ask: Ask) -> Answer:
        """Loading the answer again deletes again, which changes nothing and says the same."""
        no = permit(ask.principal, self.profile.needs.manage_keys)
        if no is not None:
            return no
        row = self.look_up.any_key(ask.principal.datasource_id, ask.ids["key"])
        typed = ask.form.get("name", "").strip()
        if row is not None and row.deleted_at is None and typed != row.name.strip():
            form = self._delete_form(row, typed)
            if form.values["in_use"]:
                return form
        receipt = self.delete_key(
            ask.principal,
            datasource_id=ask.principal.datasource_id,
            key_id=ask.ids["key"],
            origin=ask.origin,
        )
        if isinstance(receipt, Denied):
            return receipt
        assert row is not None  # noqa: S101 - it was deleted just now
        return Shown("deleted.html", {"row": row, "words": receipt_words(receipt)})

    def receipt(self, ask: Ask) -> Answer:
        """What the page of a deletion said in words."""
        no = permit(ask.principal, self.profile.needs.manage_keys)
        found = no or self.look_up.key_receipt(ask.principal.datasource_id, ask.ids["key"])
        return found if isinstance(found, Denied) else Data(receipt_json(found))

    def webhooks(self, ask: Ask) -> Answer:
        return permit(ask.principal, self.profile.needs.view_keys) or Shown("webhooks.html")

    def _delete_form(self, row: KeyRow, typed: str | None = None) -> Shown:
        """For a key in use its name is to be typed; one of which nothing can be read counts so."""
        found = self.uses.of(row.datasource_id, [row.id])
        use = found[row.id] if found else None
        error = "" if typed is None else f"That is not the name of this key. Type: {row.name}"
        values = {
            "row": row,
            "typed": typed or "",
            "error": error,
            "use": use,
            "in_use": use is None or use.in_use,
        }
        return Shown("delete.html", values, 400 if error else 200)

    def _row(self, ask: Ask) -> KeyRow | Denied:
        no = permit(ask.principal, self.profile.needs.view_keys)
        return no or self.look_up.key(ask.principal.datasource_id, ask.ids["key"])

    def _may(self, ask: Ask) -> bool:
        return permit(ask.principal, self.profile.needs.manage_keys) is None

    def _address(self, ask: Ask, said: Mapping[str, str], found: str) -> str:
        text, whose = said.get("q", ""), said.get("whose", "")
        return finding.address_for(text, whose, self.here, ask.principal, found)

    def _shown(
        self,
        ask: Ask,
        row: KeyRow,
        name: str,
        description: str,
        *,
        notice: str = "",
        refused: Refused | None = None,
    ) -> Shown:
        found = self.uses.of(row.datasource_id, [row.id])
        values = {
            "row": row,
            "name": name,
            "description": description,
            "notice": notice,
            "error": refused.detail if refused else "",
            "may": self._may(ask),
            "need": self.profile.needs.manage_keys,
            "use": found[row.id] if found else None,
            "advice": (self.advice.of(row.datasource_id, [row]) or {}).get(row.id, ()),
            "troubles": TROUBLES,
            "used": list(self.profile.catalogue.names(found[row.id].use.permissions))
            if found
            else [],
        }
        return Shown("key.html", values, 200 if refused is None else status_of(refused))


def _lines(text: str) -> str:
    """Browsers end the lines of a form with CR LF (HTML, 4.10.21)."""
    return text.replace("\r\n", "\n")
