"""Pages of a list: from `pageNumber` and `pageSize` to an offset, and the headers of the answer.

1. Pages count from 1. A page beyond the last is an empty list with the same headers, no error.
2. A size above the maximum counts as the maximum, and a number beyond what a database can skip as
   the last that it can: the headers name what was used.
3. A list without entries has 0 pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBER, SIZE = "pageNumber", "pageSize"
SIZE_DEFAULT = 250
SIZE_MAX = 1000

_INTEGER_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """Both from 1. `offset` and `offset + size` fit in 63 bits when `page_from` made it."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many entries stand before this page."""
        return (self.number - 1) * self.size


def page_from(query: Mapping[str, str]) -> Page | Refused:
    """The page that a query asks for. Never raises; what the query does not say has its default."""
    number = whole_number(query.get(NUMBER, "1"))
    size = whole_number(query.get(SIZE, str(SIZE_DEFAULT)))
    if number is None:
        return _refused(NUMBER)
    if size is None:
        return _refused(SIZE)
    size = min(size, SIZE_MAX)
    return Page(min(number, _INTEGER_MAX // size), size)


def headers(page: Page, total: int) -> tuple[tuple[str, str], ...]:
    """The four headers of a paged answer. `total`: entries on all pages together."""
    return (
        ("PageNumber", str(page.number)),
        ("PageSize", str(page.size)),
        ("TotalNumberOfRecords", str(total)),
        ("TotalPages", str(-(-total // page.size))),
    )


def whole_number(text: str) -> int | None:
    """A whole number from 1, or None. Anything above 63 bits is as good as the largest."""
    # isdigit() alone takes other scripts' digits, and int() raises above some thousand of them.
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    number = int(digits or "0") if len(digits) <= 19 else _INTEGER_MAX
    return min(number, _INTEGER_MAX) or None


def _refused(name: str) -> Refused:
    return Refused(Fault.INVALID_QUERY, f"{name} must be a whole number from 1", field=name)
