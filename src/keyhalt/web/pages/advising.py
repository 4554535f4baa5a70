"""Advice on the pages: beside the keys, on a key's own page, and all of it on one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.advice import AdviceKind
from keyhalt.core.decisions import permit
from keyhalt.usecases.advise import DAYS, Place
from keyhalt.usecases.ports import StoreUnavailableError
from keyhalt.web.pages.asking import Row, Shown
from keyhalt.web.pages.finding import number_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyhalt.core.advice import Advice
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.advise import Advise
    from keyhalt.usecases.look_up_use import LookUpUse
    from keyhalt.usecases.rows import KeyRow
    from keyhalt.web.pages.asking import Answer, Ask

PAGE = 40
_TOKENS = "tokens-"
TITLES = {
    AdviceKind.UNUSED: "Unused",
    AdviceKind.OWNER: "Owner about to matter",
    AdviceKind.RIGHTS: "More rights than use",
    AdviceKind.SHARED: "Several integrations",
    AdviceKind.EXPOSED: "Travelled in clear",
    AdviceKind.REPLACED: "Replaced",
    AdviceKind.TOKEN: "Bearer tokens in use",
}
_STEPS = {
    AdviceKind.UNUSED: ("delete", "Delete this key"),
    AdviceKind.OWNER: ("changeover", "Change over to another key"),
    AdviceKind.RIGHTS: ("narrow", "Narrow this key"),
    AdviceKind.SHARED: ("changeover", "Make a key for each program"),
    AdviceKind.EXPOSED: ("changeover", "Change over to another key"),
    AdviceKind.REPLACED: ("delete", "Delete this key"),
}


@dataclass(frozen=True, slots=True)
class AdviceShown:
    """An advice as a page says it. `way`: the address of the next step and its words, or none."""

    title: str
    says: str
    next_step: str
    way: tuple[str, str] | None


def shown(advice: Advice) -> AdviceShown:
    way = _STEPS.get(advice.kind)
    to = (f"/keys/{advice.key_id}/{way[0]}", way[1]) if way and advice.key_id else None
    return AdviceShown(TITLES[advice.kind], advice.says, advice.next_step, to)


@dataclass(frozen=True, slots=True)
class AdvicePages:
    advise: Advise
    look_up_use: LookUpUse
    needs: Needs

    def rows(self) -> list[Row]:
        return [Row("GET", "/keys/advice", self.list)]

    def of(
        self, datasource_id: int, keys: Sequence[KeyRow]
    ) -> Mapping[int, Sequence[AdviceShown]] | None:
        """By key; None when it cannot be read now, which keeps no page from being shown."""
        try:
            found = self.advise.of(datasource_id, keys)
        except StoreUnavailableError:
            return None
        return {key_id: [shown(each) for each in advice] for key_id, advice in found.items()}

    def list(self, ask: Ask) -> Answer:
        no = permit(ask.principal, self.needs.view_keys)
        if no is not None:
            return no
        kind = next((each for each in AdviceKind if each == ask.query.get("kind")), None)
        place = _place(ask.query.get("after", ""))
        part = self.advise.part(ask.principal.datasource_id, kind, place, PAGE)
        values = {
            "rows": [(each, shown(each.advice)) for each in part.advised],
            "kind": kind or "",
            "kinds": [(each.value, title) for each, title in TITLES.items()],
            "begun": place != Place(),
            "more": part.go_on and _after(part.go_on),
            "days": DAYS,
            "since": self.look_up_use.counted_since(),
            "may": permit(ask.principal, self.needs.manage_keys) is None,
        }
        return Shown("advice.html", values)


def _place(after: str) -> Place:
    """From an address; nonsense is the beginning."""
    if after.startswith(_TOKENS):
        return Place(user_id=number_in(after.removeprefix(_TOKENS)) or 0)
    return Place(number_in(after) or 0)


def _after(place: Place) -> str:
    return f"{place.key_id}" if place.user_id is None else f"{_TOKENS}{place.user_id}"
