"""What may be answered from memory, and until when."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyhalt.core.freshness import Entry, Freshness, Memory, Tag, imprint_of, weight
from keyhalt.core.permissions import NOTHING
from keyhalt.core.principals import Credential, CredentialKind, Principal, UserFacts

NOW = Tag(guard=1, number=10)


def principal(key_id: int = 1) -> Principal:
    credential = Credential(CredentialKind.KEY, key_id)
    return Principal(
        "Lab",
        UserFacts(
            datasource_id=1,
            datasource="orchard",
            user_id=1,
            user_code="pat",
            full_name="Pat",
            email="pat@example.org",
            role_id=1,
            role_name="Default",
            permissions=NOTHING,
            topmosts={},
            active=True,
            datasource_active=True,
            sign_in_generation=0,
        ),
        credential,
    )


@dataclass
class At(Freshness):
    """A store whose state is `state`, and which cannot say what a change concerned."""

    state: Tag

    def tag(self, now: float) -> Tag:
        del now
        return self.state

    def unaffected(self, since: Tag, principal: Principal) -> bool:
        del since, principal
        return False


def recall(memory: Memory, digest: bytes, tag: Tag, now: float) -> Principal | None:
    return memory.recall(digest, At(tag), now)


@pytest.mark.parametrize(
    "tag", [Tag(1, 9), Tag(1, 11), Tag(2, 10), Tag(10, 1), Tag(1, 2**63), Tag(-1, 10)]
)
def test_an_entry_counts_under_its_own_tag_only(tag: Tag) -> None:
    """Any change, seen by this guard or by another one, ends what is remembered."""
    memory = Memory(10)
    memory.keep(b"a", Entry(principal(), NOW))
    assert recall(memory, b"a", NOW, 0.0) is not None
    assert recall(memory, b"a", tag, 0.0) is None


def test_a_fresh_entry_is_answered_as_it_was_kept() -> None:
    """Memory gives back the very decision that was put in."""
    memory, decision = Memory(10), principal()
    memory.keep(b"a", Entry(decision, NOW))
    assert recall(memory, b"a", NOW, 0.0) is decision
    assert recall(memory, b"b", NOW, 0.0) is None


def test_a_stale_entry_is_forgotten_for_good() -> None:
    """What was stale once is not answered later, even if the old tag were seen again."""
    memory = Memory(10)
    memory.keep(b"a", Entry(principal(), NOW))
    assert recall(memory, b"a", Tag(1, 11), 0.0) is None
    assert recall(memory, b"a", NOW, 0.0) is None
    assert len(memory) == 0


def test_keeping_again_replaces() -> None:
    """The last decision kept for a text is the one that is answered."""
    memory, newer = Memory(10), principal(2)
    memory.keep(b"a", Entry(principal(1), NOW))
    memory.keep(b"a", Entry(newer, Tag(1, 11)))
    assert len(memory) == 1
    assert recall(memory, b"a", Tag(1, 11), 0.0) is newer


def test_what_is_used_stays_when_room_is_needed() -> None:
    """An entry used since it was last passed over outlives the unused ones."""
    memory = Memory(3)
    for digest in (b"a", b"b", b"c"):
        memory.keep(digest, Entry(principal(), NOW))
    assert recall(memory, b"a", NOW, 0.0)
    memory.keep(b"d", Entry(principal(), NOW))
    assert recall(memory, b"b", NOW, 0.0) is None
    assert all(recall(memory, digest, NOW, 0.0) for digest in (b"a", b"c", b"d"))


def test_the_store_is_not_asked_about_what_is_not_remembered() -> None:
    """An unknown text costs no look at the store's state."""

    class Unasked(At):
        def tag(self, now: float) -> Tag:
            raise AssertionError(f"the tag was read for nothing at {now}")

    assert Memory(3).recall(b"a", Unasked(NOW), 0.0) is None


def test_asking_again_and_again_takes_no_more_room() -> None:
    """A key that is read anew after every change keeps one place in the order."""
    memory = Memory(3)
    for number in range(100):
        memory.keep(b"a", Entry(principal(), Tag(1, number)))
        assert recall(memory, b"a", Tag(1, number + 1), 0.0) is None
    assert len(memory._order) == 1
    assert len(memory) == 0


def test_a_memory_is_bounded_in_bytes_too() -> None:
    """What each entry weighs is counted, and the last one may always stay."""
    one = weight(principal())
    memory = Memory(100, bytes_max=3 * one)
    for number in range(10):
        memory.keep(bytes([number]), Entry(principal(), NOW))
    assert len(memory) == 3
    small = Memory(100, bytes_max=1)
    small.keep(b"a", Entry(principal(), NOW))
    assert recall(small, b"a", NOW, 0.0) is not None


@pytest.mark.parametrize("entries_max", [0, -1])
def test_a_memory_of_nothing_is_refused(entries_max: int) -> None:
    """A memory holds at least one entry."""
    with pytest.raises(ValueError, match="at least one"):
        Memory(entries_max)


digests = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])
tags = st.builds(Tag, st.integers(1, 2), st.integers(1, 3))
operations = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), digests, tags),
        st.tuples(st.just("recall"), digests, tags),
    ),
    max_size=50,
)


@settings(max_examples=200, deadline=None)
@given(entries_max=st.integers(1, 4), operations=operations)
def test_stale_never_answers_and_the_bound_holds_in_any_history(
    entries_max: int, operations: list[tuple[str, bytes, Tag]]
) -> None:
    """Memory may forget, but what it answers was kept last, and under this tag."""
    memory = Memory(entries_max)
    kept: dict[bytes, Entry] = {}
    for number, (verb, digest, tag) in enumerate(operations):
        if verb == "keep":
            kept[digest] = Entry(principal(number), tag)
            memory.keep(digest, kept[digest])
            assert recall(memory, digest, tag, -1.0) is kept[digest].principal
        else:
            answer = recall(memory, digest, tag, 0.0)
            if answer is not None:
                assert answer is kept[digest].principal
                assert kept[digest].tag == tag
            elif digest in kept and kept[digest].tag != tag:
                del kept[digest]
        assert len(memory) <= entries_max


def test_when_each_was_used_last_is_told_and_of_those_that_go_too() -> None:
    """Whoever audits the promise finds every use, in memory or told when its entry leaves."""
    left: list[Entry] = []
    memory = Memory(2, leaving=left.append)
    for number, digest in enumerate((b"a", b"b"), start=1):
        memory.keep(digest, Entry(principal(number), Tag(1, 10, 4), at=5.0))
    assert list(memory.used_since(5.0)) == []
    assert recall(memory, b"a", Tag(1, 10, 4), 7.0) is not None
    assert [(who.credential.id, *rest) for who, *rest in memory.used_since(5.0)] == [(1, 7.0, 4)]
    memory.keep(b"c", Entry(principal(3), Tag(1, 10, 4), at=8.0))
    assert [(each.principal.credential.id, each.at) for each in left] == [(2, 5.0)]
    assert recall(memory, b"a", Tag(1, 11), 9.0) is None
    assert [(each.principal.credential.id, each.at) for each in left] == [(2, 5.0), (1, 7.0)]


def test_an_imprint_tells_texts_apart() -> None:
    """Of one text always the same; of texts that differ in a byte another."""
    text = b"Lab.orchard.12.345." + b"A" * 48
    imprints = {imprint_of(text[:n] + b"!" + text[n + 1 :]) for n in range(len(text))}
    assert len(imprints | {imprint_of(text), imprint_of(text)}) == len(text) + 1
