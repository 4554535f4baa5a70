"""Is a folder on a network file system? SQLite's locks do not hold there, nor does the guard."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    {
        *("afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs", "lustre"),
        *("ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2"),
        *("smb2", "smb3", "smbfs", "vboxsf", "vmhgfs"),
    }
)
# File systems in user space can be anything; these lie on a disk of this machine.
_LOCAL_FUSE = frozenset(
    {
        *("bindfs", "encfs", "exfat", "exfat-fuse", "ext2", "ext4", "fuse-overlayfs", "gocryptfs"),
        *("mergerfs", "ntfs", "ntfs-3g"),
    }
)


def network_kind(folder: Path, mounts: Path = _MOUNTS) -> str | None:
    """The kind of network file system that `folder` is on, or None. `mounts`: see proc(5)."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None  # Not Linux.
    path = folder.resolve()
    best, kind = -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        point = Path(_unescaped(fields[4]))
        # Of two on one place the later one covers the other.
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split()[0]
    return kind if _is_network(kind) else None


def _is_network(kind: str) -> bool:
    family, _, what = kind.partition(".")
    return kind in _NETWORK or (family == "fuse" and what not in _LOCAL_FUSE)


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
