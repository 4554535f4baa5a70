"""What pages say of rights and receipts, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyhalt.client.trees import Trees
    from keyhalt.core.principals import Principal
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.barrier import Receipt

_NAMED = 5


def receipt_words(receipt: Receipt) -> str:
    """How a change took effect, as docs/revocation.md has it."""
    if receipt.acknowledged is None:
        return (
            "In effect everywhere: every process looks before it answers, so none was waited for."
        )
    asked = receipt.acknowledged + receipt.timed_out
    of_them = count_words(asked, "process", "processes")
    said = f"{receipt.acknowledged} of {of_them} said so"
    words = f"In effect everywhere: {said}, {receipt.waited_ms} ms."
    if receipt.timed_out:
        late = count_words(receipt.timed_out, "process", "processes")
        return f"{words} {late} did not, and can no longer answer from memory."
    return words


def power_words(principal: Principal, profile: Profile, trees: Trees, *, you: bool = True) -> str:
    """What a key can do and where, as its owner; said before it is made. `you`: who reads it."""
    held = [
        entry.title
        for entry in profile.catalogue.permissions
        if not entry.licence
        and any(profile.catalogue.levels(entry, principal.permissions).values())
    ]
    what = _listed(held) if held else "nothing that needs a permission"
    places = [
        node.info or node.code or f"{hierarchy.name} {node.id}"
        for hierarchy in profile.hierarchies
        for node in trees.describe(
            principal.datasource_id, hierarchy.name, principal.topmost_ids(hierarchy.name)
        ).values()
    ]
    who = f"you, {principal.user_code}" if you else f"the service account {principal.user_code}"
    where = f"below {_listed(places)}" if places else "and sees no part of any hierarchy"
    return (
        f"A key acts as {who} ({principal.role_name}): it can do what {'you' if you else 'it'} can,"
        f" now and later, and nothing else: {what}, in {principal.datasource}, {where}."
    )


def _listed(names: Sequence[str]) -> str:
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    return ", ".join(names)


def count_words(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
