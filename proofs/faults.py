"""Ways to get it wrong. Each must be caught: by an answer from before, or by standing still.

`changes` are made in the source of the rule, `wrong` is done by what surrounds it in the
simulation: statements of the database, what a caller does, how it is operated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from proofs.rule import FRESHNESS, KEEP_LEASE, LEASES, VERIFY, Change


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    changes: tuple[Change, ...] = ()
    wrong: str = ""
    elsewhere: str = ""
    """What catches it, where no schedule of the simulation can show it."""


def _keep(old: str, new: str) -> Change:
    return Change(KEEP_LEASE, old, new)


def _page(old: str, new: str) -> Change:
    return Change(LEASES, old, new)


def _memory(old: str, new: str) -> Change:
    return Change(FRESHNESS, old, new)


_CATCH_UP = "        self._catch_up(self._holder, standing.epoch)\n"
_EXTEND = "self._page.extend(asked_at + self._lease_seconds)"
_ASK = """\
        asked_at = self._clock()
        standing = self._ledger.standing(self._holder)
"""
_ASK_FIRST = """\
        standing = self._ledger.standing(self._holder)
        asked_at = self._clock()
"""
_TAG = """\
        deadline = self.deadline
        if now < deadline:
            return self.current
        return None
"""
_TAG_FIRST = """\
        tag = self.current
        deadline = self.deadline
        if now < deadline:
            return tag
        return None
"""
_ACKNOWLEDGE = "        self._ledger.acknowledge(holder, epoch)\n"
_APPLY = """\
        if applied < epoch:
            self._page.apply(self._ledger.changes(applied, epoch), epoch)
"""
_PROVED = "standing.acknowledged == standing.epoch == self._page.applied"
_JOIN = """\
        self._page.give_up()
        self._holder = self._ledger.join(self._process, self._lease_seconds)
"""
_STORE_TAG = "        self.current = Tag(guard, upto, upto)\n"
_STORE_SEEN = "        self._seen = (guard, floor, last)\n"
_SEEN = "        guard, floor, last = self._seen\n        for"
_QUICK = """\
                    if now < freshness.deadline:
                        tag = freshness.current
"""
_QUICK_TAG_FIRST = """\
                    tag = freshness.current
                    if not now < freshness.deadline:
                        tag = None
"""
_KEEP_DENIAL = "self._denials.keep(imprint, decision, tag)"
_MISSING = "if expected <= upto or len(last) > SUBJECTS_MAX:"

# The traps of the design: docs/revocation.md has the table.
TRAPS = (
    Fault("no barrier", (_keep("if living is not None and not living.behind:", "if True:"),)),
    Fault(
        "a change waits less than a lease",
        (_keep("GUARD_FACTOR * self._longest()", "0.7 * self._longest()"),),
    ),
    Fault("the wait is counted from before the commit", wrong="wait from before the commit"),
    Fault("a repeated delete returns at once", wrong="repeat returns at once"),
    Fault(
        "the lease is extended before the change is applied",
        (_keep(_CATCH_UP, f"        {_EXTEND}\n{_CATCH_UP}"),),
    ),
    Fault(
        "the lease is extended before the acknowledgement is stored",
        (_keep(_PROVED, "standing.epoch == self._page.applied"),),
    ),
    Fault("the lease is counted from the answer", (_keep(_ASK, _ASK_FIRST),)),
    Fault(
        "the lease is counted from when it is written",
        (_keep(_EXTEND, "self._page.extend(self._clock() + self._lease_seconds)"),),
    ),
    Fault("the tag is read before the lease", (_page(_TAG, _TAG_FIRST),)),
    Fault(
        "the tag of an entry is read after its data",
        (
            Change(
                VERIFY,
                "Entry(decision.principal, tag or Freshness.current, now)",
                "Entry(decision.principal, self._freshness.tag(self.monotonic()) or tag, now)",
            ),
        ),
    ),
    Fault(
        "joining counts as having acknowledged",
        (_keep(_PROVED, "standing.acknowledged == standing.epoch"),),
        wrong="join acknowledges",
    ),
    Fault(
        "a new incarnation keeps the lease of the old one",
        (_keep(_JOIN, _JOIN.replace("        self._page.give_up()\n", "")),),
        # Who is told that it is dead was waited for, so its lease is over already: only clocks
        # beyond what is allowed, or a step of the keeper looked at by itself, show it.
        elsewhere="the model (12) and the journals of agents",
    ),
)

OWN = (
    Fault(
        "acknowledged before it is applied", (_keep(_APPLY + _ACKNOWLEDGE, _ACKNOWLEDGE + _APPLY),)
    ),
    Fault(
        "more is acknowledged than is applied",
        (_keep(_ACKNOWLEDGE, _ACKNOWLEDGE.replace("epoch)", "epoch + 1)")),),
    ),
    Fault(
        "the waiting has no margin for clocks that differ",
        (_page("GUARD_FACTOR = 1.25", "GUARD_FACTOR = 1.0"),),
    ),
    Fault(
        "a database that cannot be asked counts as nobody behind",
        (
            _keep(
                "            return self._ledger.living(epoch)\n"
                "        except StoreUnavailableError:\n            return None",
                "            return self._ledger.living(epoch)\n"
                "        except StoreUnavailableError:\n            return Living(0, ())",
            ),
        ),
    ),
    Fault(
        "who stops says so first and gives up its lease then",
        (
            _keep(
                "        self._page.give_up()\n        holder, self._holder = self._holder, None\n"
                "        if holder is not None:\n            self._ledger.leave(holder)\n",
                "        holder, self._holder = self._holder, None\n"
                "        if holder is not None:\n            self._ledger.leave(holder)\n"
                "        self._page.give_up()\n",
            ),
        ),
    ),
    Fault("another cluster is not noticed", (_keep("standing.cluster != self._cluster or ", ""),)),
    Fault(
        "the short way reads the tag before the lease",
        (
            Change(VERIFY, _QUICK, _QUICK_TAG_FIRST),
            Change(
                VERIFY,
                "                    elif tag is None:",
                "                    if tag is None:",
            ),
        ),
    ),
    Fault(
        "the short way asks for no lease",
        (Change(VERIFY, _QUICK, _QUICK.replace("now < freshness.deadline", "True")),),
    ),
    Fault(
        "the short way takes any state under a lease",
        (Change(VERIFY, "if entry.tag is tag:", "if tag is not None:"),),
    ),
    Fault(
        "a lease is held against the moment of an earlier request",
        (
            Change(
                VERIFY,
                "now = monotonic()\n            hashing",
                "now = vars(remembered).setdefault('now', monotonic())\n            hashing",
            ),
        ),
    ),
    Fault("a lease never ends", (_page("if now < deadline:", "if deadline:"),)),
    Fault(
        "without a lease, entries count as they are",
        (
            _memory(
                "            if tag is None:\n                return None\n        # `tag`",
                "            if tag is None:\n                tag = entry.tag\n        # `tag`",
            ),
        ),
    ),
    Fault(
        "numbers of two guards are compared",
        (_memory("entry.tag != tag:", "entry.tag.number != tag.number:"),),
    ),
    Fault(
        "an entry moves to a tag that is read after the look",
        (
            _memory(
                "            entry.tag = tag\n",
                "            tag = entry.tag = freshness.tag(now) or tag\n",
            ),
        ),
    ),
    Fault(
        "an entry moves to the new tag without a look",
        (
            _memory(
                "if not freshness.unaffected(entry.tag, entry.principal):",
                "if entry.tag == tag:",
            ),
        ),
    ),
    Fault(
        "the number is stored before the floor",
        (_page(_STORE_SEEN, ""), _page(_STORE_TAG, _STORE_TAG + _STORE_SEEN)),
    ),
    Fault(
        "the number is stored before the subjects",
        (
            _page(_STORE_TAG, ""),
            _page(_SEEN, _SEEN.replace("        for", _STORE_TAG + "        for")),
        ),
    ),
    Fault(
        "what was seen is emptied in place",
        (
            _page(
                "            floor, last = upto, {}\n",
                "            floor = upto\n            last.clear()\n",
            ),
        ),
    ),
    Fault(
        "floor and subjects are read one after the other",
        (
            _page(
                "guard, floor, last = self._seen\n        number",
                "guard, floor = self._seen[:2]\n        last = self._seen[2]\n        number",
            ),
        ),
    ),
    Fault(
        "a gap in the log is overlooked",
        (_page("epoch != expected or EVERYTHING in", "EVERYTHING in"),),
    ),
    Fault(
        "a missing end of the log is overlooked", (_page(_MISSING, "if len(last) > SUBJECTS_MAX:"),)
    ),
    Fault("what concerns everybody concerns nobody", (_page(" or EVERYTHING in concerned", ""),)),
    Fault(
        "subjects are dropped and no floor is raised",
        (_page("floor, last = upto, {}", "last = {}"),),
    ),
    Fault(
        "the floor is one too low", (_page("and floor <= number\n", "and floor <= number + 1\n"),)
    ),
    Fault(
        "a subject counts one epoch late",
        (_page("NEVER_APPLIED) <= number", "NEVER_APPLIED) <= number + 1"),),
    ),
    Fault(
        "a change of a role concerns no key",
        (_page("        subject(Kind.ROLE, principal.role_id),\n", ""),),
    ),
    Fault(
        "a change of a user concerns no key",
        (_page("        subject(Kind.USER, principal.user_id),\n", ""),),
    ),
    Fault(
        "a change of a datasource concerns no key",
        (_page("        subject(Kind.DATASOURCE, principal.datasource_id),\n", ""),),
    ),
    Fault("a holder that has acknowledged meanwhile is fenced", wrong="fence whoever was behind"),
    Fault(
        "forgetting is seen half done",
        (
            _page(
                "guard, floor, last = self._seen\n        number",
                "if since.guard != self.current.guard:\n            return False\n"
                "        _, floor, last = self._seen\n        number",
            ),
            _page("since.guard == guard\n            and floor", "floor"),
        ),
    ),
    Fault("a fenced holder is told that it lives", wrong="the dead live"),
    Fault("a new incarnation wipes out what it does not know", wrong="join replaces"),
    Fault(
        "of many that ask at once, all take what one read",
        (
            Change(
                VERIFY,
                "return await self._fill(claim, imprint)\n        self._reading",
                "return getattr(reading, 'found', None) or await self._fill(claim, imprint)\n"
                "        self._reading",
            ),
            Change(
                VERIFY,
                "            return await self._fill(claim, imprint)\n        finally",
                "            reading.found = await self._fill(claim, imprint)\n"
                "            return reading.found\n        finally",
            ),
        ),
    ),
    Fault(
        "that a key is deleted is remembered for good",
        (Change(VERIFY, _KEEP_DENIAL, _KEEP_DENIAL.replace("tag)", "self._mac_keys())")),),
    ),
    Fault(
        "a remembered denial counts in any state",
        (_memory("holds = basis == (freshness.tag(now) if tag is None else tag)", "holds = True"),),
    ),
    Fault("the epoch is committed before the change", wrong="epoch before the change"),
    Fault("an unknown commit is reported as done", wrong="unknown commit is done"),
    Fault("a restored database opens at once", wrong="restored at once"),
    Fault("a restored database goes by its old name and numbers", wrong="restored as it was"),
    Fault("a longer lease of another process is not asked for", wrong="a longer lease"),
    Fault("clocks differ more than is allowed", wrong="wild clocks"),
)

FAULTS = TRAPS + OWN
SHOWN = tuple(fault for fault in FAULTS if not fault.elsewhere)
"""Those that the simulation must catch."""

SEEDS = Path(__file__).parent / "seeds.json"
RECORD: dict[str, int] = json.loads(SEEDS.read_text())
"""Where the short form begins to look: the seeds at which the slow ones were found last.

A change of the rule moves them: `python -m proofs seeds` looks for them anew.
"""
