"""Whether a store is older than what was served before: docs/storage.md, "A restored store".

A copy that was put back knows nothing of what was revoked since it was made. So each machine keeps
a *mark* outside the store, beside the MAC keys: which cluster it served and how far that had come.
A store that does not reach the mark is *closed*.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """The highest epoch of a cluster that was seen here. It only ever rises."""

    cluster: str
    epoch: int
    restored: bool = False
    """A backup was put back, and nobody here knows how far the environment had come by then."""


def why_closed(mark: Mark | None, cluster: str, epoch: int) -> str | None:
    """Why a store at `epoch` of `cluster` must not be served, in a sentence; None when it may.

    `mark` was read before the store was: the store can only have gone on meanwhile.
    """
    if mark is None:
        return None
    if mark.cluster != cluster:
        return (
            f"this store is of cluster {cluster}, and these MAC keys last served {mark.cluster};"
            " if that is meant, see 'keyhalt db reopen'"
        )
    if epoch < mark.epoch:
        return (
            f"this store ends at epoch {epoch}, and epoch {mark.epoch} was served: it was restored"
            " or replaced, and what was revoked in between counts in it again; see"
            " 'keyhalt db reopen'"
        )
    if mark.restored:
        return (
            f"this store was restored from a backup of epoch {epoch}, and what was revoked after"
            " it counts in it again; see 'keyhalt db reopen'"
        )
    return None


def mark_of_restore(known: Mark | None, there: Mark | None, backup: Mark) -> Mark:
    """What to keep when `backup` is put back: how far the environment had come.

    `known`: the mark so far. `there`: where the store stands that is written over, if there is one;
    of the backup's cluster. Without one, a mark that is behind the backup does not know.
    """
    if known is not None and known.cluster != backup.cluster:
        return known
    if there is None and (known is None or known.epoch < backup.epoch):
        return Mark(backup.cluster, backup.epoch, restored=True)
    reached = max(mark.epoch for mark in (known, there) if mark is not None)
    return Mark(backup.cluster, reached, restored=known is not None and known.restored)
