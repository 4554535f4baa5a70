"""The search over keys. A pasted key is found by its id; its secret part goes no further."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from keyhalt.core import keytext
from keyhalt.core.keytext import ID_MAX, KeyClaim
from keyhalt.usecases.rows import KEY_ORDERS, KeySearch

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from keyhalt.core.decisions import Here
    from keyhalt.core.principals import Principal

PAGE = 40
STATES = ("unused", "resting")
BY_USE = ("used", "idle")
"""Orders that another store has: last used first, and longest unused."""
TEXT_MAX = 100
_NUMBER = re.compile(r"#([1-9][0-9]{0,9})")
# Longer than a name somebody looks for, and without a space: a secret, whatever its kind.
_LIKE_A_SECRET = re.compile(r"\S{40,}")

NOTICES = {
    "pasted": "That was the text of a key. It was found by its id; its secret was discarded.",
    "elsewhere": "That is a key of another environment or datasource. It was discarded.",
    "cut": "That looked like a key, but is none that was made here, or was cut or changed."
    " It was discarded.",
    "address": "A key stood in the address of this page, where histories and logs keep it."
    " Delete that key, and create another one.",
}


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: `text`, or the one key `#12`; `mine`: only one's own."""

    text: str
    mine: bool
    owner: int | None
    state: str
    order: str
    page: int
    notice: str

    def address(self, **changes: object) -> str:
        values = {"q": self.text, "whose": "mine" if self.mine else "all", "page": self.page}
        values |= {"owner": self.owner or "", "state": self.state, "order": self.order}
        return "/keys?" + urlencode({k: v for k, v in (values | changes).items() if v})

    @property
    def narrowed(self) -> bool:
        return bool(self.text or self.mine or self.owner or self.state or self.page > 1)

    def asked(self, principal: Principal) -> KeySearch:
        number = _NUMBER.fullmatch(self.text)
        return KeySearch(
            text="" if number else self.text,
            key_id=min(int(number[1]), ID_MAX) if number else None,
            owner_id=principal.user_id if self.mine else self.owner,
            owner_active=False if self.state == "resting" else None,
            order=self.order if self.order in KEY_ORDERS else KEY_ORDERS[0],
            skip=self.first,
            take=PAGE,
        )

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE


def page_number(query: Mapping[str, str]) -> int:
    """From 1; nonsense counts as 1."""
    page = query.get("page", "1")
    return max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 7 else 1


def _one_of(known: Collection[str], text: str) -> str:
    return text if text in known else ""


def number_in(text: str) -> int | None:
    """An id; None for everything else."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def search_of(query: Mapping[str, str]) -> Search:
    return Search(
        text=query.get("q", "").strip()[:TEXT_MAX],
        mine=query.get("whose") == "mine",
        owner=number_in(query.get("owner", "")),
        state=_one_of(STATES, query.get("state", "")),
        order=_one_of((*KEY_ORDERS[1:], *BY_USE), query.get("order", "")),
        page=page_number(query),
        notice=query.get("found", ""),
    )


def is_secret(text: str) -> bool:
    return _LIKE_A_SECRET.search(text.strip()) is not None


def address_for(text: str, whose: str, here: Here, principal: Principal, found: str) -> str:
    """The address of a search, with nothing in it that could be a secret."""
    text = text.strip()
    claim = keytext.parse(text.encode())
    values = {"whose": "mine" if whose == "mine" else "all"}
    if isinstance(claim, KeyClaim):
        ours = claim.product == here.product and here.names(claim.environment)
        if ours and claim.datasource == principal.datasource:
            values |= {"q": f"#{claim.key_id}", "whose": "all", "found": found}
        else:
            values |= {"found": "elsewhere"}
    elif is_secret(text):
        values |= {"found": "cut"}
    else:
        values |= {"q": text[:TEXT_MAX]}
    return "/keys?" + urlencode(values)
