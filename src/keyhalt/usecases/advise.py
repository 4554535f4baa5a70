"""Advice about the keys of a datasource, each with its evidence and the next step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from keyhalt.core.advice import (
    YEAR_DAYS,
    Advice,
    AdviceKind,
    Exposed,
    Successor,
    TokenUser,
    Watched,
    Window,
    advise,
    advise_of_tokens,
)
from keyhalt.core.permissions import NOTHING
from keyhalt.usecases.rows import KeyWalk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from keyhalt.core.permissions import Catalogue
    from keyhalt.core.principals import UserFacts
    from keyhalt.usecases.people import SignInReader
    from keyhalt.usecases.ports import Clock, Rights
    from keyhalt.usecases.rows import KeyRow
    from keyhalt.usecases.uses import Gathered, TokenUse, UseReader

DAYS = 90
STEP, STEPS_MAX = 250, 2
"""Keys that are read at once, and how often for one part: a part is bounded, whatever it finds."""


@dataclass(frozen=True, slots=True)
class Advised:
    """`key` None: it is about the tokens of a user. `owner_code`: whose it is."""

    key: KeyRow | None
    owner_code: str
    advice: Advice


@dataclass(frozen=True, slots=True)
class Place:
    """How far a walk has come: up to a key, by id, or past all keys up to the tokens of a user."""

    key_id: int = 0
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Some advice, and where to go on; None: there is no more."""

    advised: Sequence[Advised]
    go_on: Place | None


@dataclass(frozen=True, slots=True)
class _Known:
    owners: Mapping[int, UserFacts]
    silent: frozenset[int]
    signed_in: Mapping[int, datetime]
    uses: Gathered
    successors: Mapping[int, KeyRow]
    """By the id of the key in whose place they were made."""


class Advise:
    """Changes nothing. What the caller may see was decided before."""

    def __init__(
        self,
        *,
        rights: Rights,
        uses: UseReader,
        sign_ins: SignInReader,
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self._rights = rights
        self._uses = uses
        self._sign_ins = sign_ins
        self._catalogue = catalogue
        self._clock = clock

    def __call__(self, datasource_id: int, *, days: int = DAYS) -> Sequence[Advised]:
        """By key, oldest first, then of tokens. May raise StoreUnavailableError.

        As many statements for ten keys as for ten thousand.
        """
        with self._rights.look() as tx:
            keys = [row for row in tx.keys.list(datasource_id) if row.deleted_at is None]
            owners = tx.users.list(datasource_id)
            silent = tx.users.without_password(datasource_id, None)
        window, uses = self._window(datasource_id, None, days)
        signed_in = self._sign_ins.last(datasource_id, None)
        known = _known(owners, silent, signed_in, uses, keys)
        tokens = _of_tokens(known.owners, uses.tokens, window)
        return [*self._of_keys(keys, known, window), *tokens]

    def of(self, datasource_id: int, keys: Sequence[KeyRow]) -> Mapping[int, Sequence[Advice]]:
        """About some keys, which are not deleted, by id. Of those without advice nothing.

        As many statements for one as for a page of them. May raise StoreUnavailableError.
        """
        ids, owner_ids = [row.id for row in keys], list({row.owner_id for row in keys})
        with self._rights.look() as tx:
            owners = tx.users.some(datasource_id, owner_ids)
            silent = tx.users.without_password(datasource_id, owner_ids)
            newer = tx.keys.in_place_of(datasource_id, ids)
        window, uses = self._window(datasource_id, ids, DAYS)
        signed_in = self._sign_ins.last(datasource_id, owner_ids)
        known = _known(owners, silent, signed_in, uses, newer)
        found: dict[int, list[Advice]] = {}
        for each in self._of_keys(keys, known, window):
            if each.key is not None:
                found.setdefault(each.key.id, []).append(each.advice)
        return found

    def part(
        self,
        datasource_id: int,
        kind: AdviceKind | None,
        place: Place,
        take: int,
        *,
        step: int = STEP,
    ) -> Part:
        """The next advice, about `take` keys or users of tokens at most; None: of every kind.

        It looks at so many keys only, and may find nothing and go on. `step`: read at once. May
        raise StoreUnavailableError.
        """
        found: list[Advised] = []
        about = 0
        if place.user_id is None and kind is not AdviceKind.TOKEN:
            only = self._only(datasource_id, kind)
            for _ in range(STEPS_MAX):
                keys, last = self._next(datasource_id, kind, place, only, step)
                advice = self.of(datasource_id, keys) if keys else {}
                for row in keys:
                    own = [each for each in advice.get(row.id, ()) if kind in {None, each.kind}]
                    if own and about == take:
                        return Part(found, place)
                    about += bool(own)
                    found += (Advised(row, row.owner_code, each) for each in own)
                    place = Place(row.id)
                if last is None:
                    break
                place = Place(last)
            else:
                return Part(found, place)
        if kind not in {None, AdviceKind.TOKEN}:
            return Part(found, None)
        return self._with_tokens(datasource_id, found, place.user_id or 0, take - about)

    def _with_tokens(
        self, datasource_id: int, found: Sequence[Advised], after: int, room: int
    ) -> Part:
        now = self._clock.now()
        window = Window(now, DAYS, None)
        since = (now - timedelta(days=DAYS)).date()
        tokens = self._uses.token_users(datasource_id, since=since, after=after, take=room + 1)
        ids = sorted(tokens)
        some = ids[:room]
        with self._rights.look() as tx:
            owners = {user.user_id: user for user in tx.users.some(datasource_id, some)}
        advised = _of_tokens(owners, {user_id: tokens[user_id] for user_id in some}, window)
        last = some[-1] if some else after
        return Part([*found, *advised], Place(0, last) if len(ids) > room else None)

    def _only(self, datasource_id: int, kind: AdviceKind | None) -> Sequence[int] | None:
        """The keys that advice of a kind could be about, oldest first; None: any."""
        since = (self._clock.now() - timedelta(days=DAYS)).date()
        if kind is AdviceKind.EXPOSED:
            return self._uses.exposed(since=since)
        if kind is AdviceKind.SHARED:
            return self._uses.of_several(datasource_id, since=since)
        return None

    def _next(
        self,
        datasource_id: int,
        kind: AdviceKind | None,
        place: Place,
        only: Sequence[int] | None,
        step: int,
    ) -> tuple[Sequence[KeyRow], int | None]:
        """The next keys to look at, and up to which; None: there are no more."""
        some = None if only is None else tuple(each for each in only if each > place.key_id)[:step]
        walk = KeyWalk(step, some, replaced=kind is AdviceKind.REPLACED)
        with self._rights.look() as tx:
            keys = tx.keys.after(datasource_id, place.key_id, walk)
        ids = [row.id for row in keys] if some is None else some
        return keys, ids[-1] if len(ids) == step else None

    def _window(
        self, datasource_id: int, key_ids: Sequence[int] | None, days: int
    ) -> tuple[Window, Gathered]:
        now = self._clock.now()
        since, earlier = ((now - timedelta(days=each)).date() for each in (days, YEAR_DAYS))
        uses = self._uses.gathered(datasource_id, key_ids, since=since, earlier=earlier)
        return Window(now, days, uses.counted_since), uses

    def _of_keys(self, keys: Sequence[KeyRow], known: _Known, window: Window) -> Iterator[Advised]:
        for row in keys:
            for each in advise(_watched(row, known), window, self._catalogue):
                yield Advised(row, row.owner_code, each)


def _known(
    owners: Sequence[UserFacts],
    silent: Sequence[int],
    signed_in: Mapping[int, datetime],
    uses: Gathered,
    newer: Sequence[KeyRow],
) -> _Known:
    successors = {row.in_place_of: row for row in newer if row.in_place_of is not None}
    by_id = {user.user_id: user for user in owners}
    return _Known(by_id, frozenset(silent), signed_in, uses, successors)


def _watched(row: KeyRow, known: _Known) -> Watched:
    uses = known.uses
    last, new = uses.last.get(row.id), known.successors.get(row.id)
    return Watched(
        key_id=row.id,
        created_at=row.created_at,
        owner=known.owners[row.owner_id],
        can_sign_in=row.owner_id not in known.silent,
        last_used_at=last.at if last else None,
        used=uses.permissions.get(row.id, NOTHING),
        used_earlier=uses.earlier.get(row.id, NOTHING),
        signed_in_at=known.signed_in.get(row.owner_id),
        callers=uses.callers.get(row.id, ()),
        exposures=[
            Exposed(each.place == "url", each.times, each.last_at, each.network)
            for each in uses.exposures.get(row.id, ())
        ],
        successor=Successor(new.id, new.created_at) if new else None,
    )


def _of_tokens(
    owners: Mapping[int, UserFacts], tokens: Mapping[int, TokenUse], window: Window
) -> Iterator[Advised]:
    for user_id, use in tokens.items():
        owner, last = owners.get(user_id), use.last
        if owner is not None:
            user = TokenUser(owner.user_code, use.requests, last.at, last.network, last.agent)
            yield Advised(None, owner.user_code, advise_of_tokens(user, window))
