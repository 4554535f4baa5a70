"""The operator's verbs about MAC keys: list, add, mint, lost, remove (docs/key-text.md).

Roll-out is "accept everywhere, then mint": a generation is added as `accept`, and made to mint
only once every process has it, so that no process refuses what another made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.refusals import Fault, Refused
from keyhalt.core.secrets import GENERATIONS, Generation, GenerationState, MacKeys, MacKeysError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keyhalt.core.principals import Operator
    from keyhalt.usecases.ports import Clock, MacKeyStore, Rights


@dataclass(frozen=True, slots=True)
class GenerationRow:
    """`keys`: how many keys that are not deleted were made with it. Never the MAC key."""

    number: int
    state: GenerationState
    keys: int


class ManageMacKeys:
    def __init__(self, *, store: MacKeyStore, rights: Rights, clock: Clock) -> None:
        self._store = store
        self._rights = rights
        self._clock = clock

    def list(self) -> list[GenerationRow]:
        keys = self._store.read()
        counts = self._counts()
        generations = keys.generations.values() if keys else ()
        return [GenerationRow(g.number, g.state, counts.get(g.number, 0)) for g in generations]

    def first(self) -> MacKeys:
        """Make the first MAC key, if there is none. Does not replace a lost file."""
        there = self._store.read()
        if there is not None:
            return there
        if self._counts():
            raise MacKeysError(
                "the MAC keys are gone but keys made with them exist; run 'keyhalt mac-key lost'"
            )
        first = Generation(0, GenerationState.MINT, self._store.fresh_key())
        try:
            return self._write([first], over=None)
        except MacKeysError:
            # Another process may have come first; then its keys are the first.
            return self._required()

    def add(self, acting: Operator, origin: Origin) -> GenerationRow | Refused:
        """A fresh generation that is accepted everywhere and mints nowhere yet."""
        keys = self._required()
        number = self._free(keys.generations)
        if number is None:
            return Refused(Fault.CONFLICT, "All 16 generations are taken; remove an unused one.")
        new = Generation(number, GenerationState.ACCEPT, self._store.fresh_key())
        self._write([*keys.generations.values(), new], over=keys)
        return self._done(acting, origin, "add", number)

    def mint(
        self, acting: Operator, number: int, origin: Origin
    ) -> GenerationRow | Refused | Denied:
        """New keys are made with `number` from now on; the one before is still accepted."""
        keys = self._required()
        chosen = keys.get(number)
        if chosen is None:
            return Denied(Reason.NOT_FOUND)
        if chosen.state is GenerationState.DIGEST_ONLY:
            return Refused(Fault.INVALID_STATE, f"The MAC key of generation {number} is lost.")
        before = replace(keys.minting, state=GenerationState.ACCEPT)
        others = [g for g in keys.generations.values() if g.number not in (number, before.number)]
        minting = replace(chosen, state=GenerationState.MINT)
        changed = [*others, *([before] if before.number != number else []), minting]
        self._write(changed, over=keys)
        return self._done(acting, origin, "mint", number)

    def lost(
        self,
        acting: Operator,
        number: int | None,
        origin: Origin,
        *,
        replace_unusable: bool = False,
    ) -> MacKeys | Refused | Denied:
        """Go on without a MAC key, or without all of them: its keys count by their digest.

        None: the file is gone, or cannot be used and is to be replaced; every generation that
        keys were made with becomes `digest-only`. MAC keys that are there are not thrown away. If
        none is left that mints, a fresh one does.
        """
        there = self._there(replace_unusable=replace_unusable and number is None)
        if number is None:
            if there is not None:
                numbers = ", ".join(str(each) for each in sorted(there.generations))
                detail = f"The MAC keys are there, generations {numbers}: say which one is lost."
                return Refused(Fault.CONFLICT, detail)
        elif there is None:
            raise MacKeysError("all MAC keys are gone; run 'keyhalt mac-key lost' without a number")
        elif number not in there.generations:
            return Denied(Reason.NOT_FOUND)
        known = dict(there.generations) if there else {}
        for each in [number] if number is not None else sorted(self._counts()):
            known[each] = Generation(each, GenerationState.DIGEST_ONLY, b"")
        if not any(g.state is GenerationState.MINT for g in known.values()):
            free = self._free(known)
            if free is None:
                raise MacKeysError("all 16 generations are lost; delete the keys of one first")
            known[free] = Generation(free, GenerationState.MINT, self._store.fresh_key())
        keys = self._write(known.values(), over=there)
        self._record(acting, origin, "lost", number)
        return keys

    def _there(self, *, replace_unusable: bool) -> MacKeys | None:
        try:
            return self._store.read()
        except MacKeysError as error:
            if replace_unusable:
                return None
            raise MacKeysError(
                f"{error}. If it cannot be mended, say --yes and no generation to replace it"
            ) from None

    def remove(
        self, acting: Operator, number: int, origin: Origin
    ) -> GenerationRow | Refused | Denied:
        """Forget a generation, so that its number is free again: only when its keys are gone."""
        keys = self._required()
        chosen = keys.get(number)
        if chosen is None:
            return Denied(Reason.NOT_FOUND)
        living = self._counts().get(number, 0)
        if living or chosen.state is GenerationState.MINT:
            detail = (
                f"Generation {number} is the one that mints."
                if chosen.state is GenerationState.MINT
                else f"Generation {number} still has {living} keys; they would stop counting."
            )
            return Refused(Fault.INVALID_STATE, detail)
        self._write([g for g in keys.generations.values() if g.number != number], over=keys)
        self._record(acting, origin, "remove", number)
        return GenerationRow(number, chosen.state, 0)

    def _required(self) -> MacKeys:
        keys = self._store.read()
        if keys is None:
            raise MacKeysError(
                "there are no MAC keys; run 'keyhalt init' or 'keyhalt mac-key lost'"
            )
        return keys

    def _write(self, generations: Iterable[Generation], *, over: MacKeys | None) -> MacKeys:
        keys = MacKeys({g.number: g for g in generations})
        self._store.write(keys, over=over)
        return keys

    def _free(self, taken: Iterable[int]) -> int | None:
        used = {*taken, *self._counts()}
        return next((number for number in range(GENERATIONS) if number not in used), None)

    def _counts(self) -> dict[int, int]:
        with self._rights.look() as tx:
            return dict(tx.keys.by_generation())

    def _done(self, acting: Operator, origin: Origin, what: str, number: int) -> GenerationRow:
        self._record(acting, origin, what, number)
        return next(row for row in self.list() if row.number == number)

    def _record(self, acting: Operator, origin: Origin, what: str, number: int | None) -> None:
        with self._rights.change() as tx:
            tx.record(
                AuditEvent(
                    event=Event.MAC_KEYS_CHANGE,
                    at=self._clock.now(),
                    actor=actor_of(acting),
                    origin=origin,
                    object_type="mac_key",
                    object_id=number,
                    details={"change": what},
                )
            )
