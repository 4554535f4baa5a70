"""The file of MAC keys: outside the database, mode 0600, one generation a line of TOML.

A running server reads it again when it changed, at most once a second, so that "accept
everywhere, then mint" needs no restart (docs/key-text.md, "MAC keys").
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from keyhalt.core.secrets import (
    MAC_KEY_BYTES_MIN,
    Generation,
    GenerationState,
    MacKeys,
    MacKeysError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_AGAIN_SECONDS = 1.0


def read_mac_keys(path: Path) -> MacKeys:
    """Read and check the file. Raises MacKeysError with what is wrong, and never with a key."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = tomllib.load(file)
    except FileNotFoundError:
        raise MacKeysError(
            f"there is no MAC-key file {path}; run 'keyhalt init', or 'keyhalt mac-key lost' if"
            " it was lost (keys then still count, by their digest)",
        ) from None
    except OSError as error:
        raise MacKeysError(f"cannot read the MAC-key file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise MacKeysError(f"the MAC-key file {path} is not what keyhalt writes") from None
    if mode & 0o077:
        raise MacKeysError(
            f"others can read the MAC-key file {path} (mode {mode:04o}); run chmod 600 on it",
        )
    rows = data.get("generation", {})
    if not isinstance(rows, dict) or not rows:
        raise MacKeysError(f"the MAC-key file {path} holds no MAC key")
    return MacKeys({g.number: g for g in (_generation(n, row) for n, row in rows.items())})


def _generation(number: str, row: object) -> Generation:
    if not isinstance(row, dict) or not (number.isascii() and number.isdecimal()):
        raise MacKeysError(f"MAC-key generation {number!r} is not what keyhalt writes")
    try:
        state = GenerationState(str(row.get("state", "")))
        key = base64.b64decode(str(row.get("key", "")), validate=True)
    except (ValueError, binascii.Error):
        raise MacKeysError(f"MAC-key generation {number} is not what keyhalt writes") from None
    return Generation(int(number), state, key)


def write_mac_keys(path: Path, keys: MacKeys) -> None:
    """Replace the file in one step: a crash leaves the old one or the new one, never a part."""
    lines = ["# MAC keys of Keyhalt. Secret. Keep a copy apart from the database.\n"]
    for number, generation in sorted(keys.generations.items()):
        lines.append(f'\n[generation.{number}]\nstate = "{generation.state.value}"\n')
        if generation.key:
            lines.append(f'key = "{base64.b64encode(generation.key).decode()}"\n')
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


class MacKeyFileStore:
    """The file as the verbs about MAC keys change it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> MacKeys | None:
        return read_mac_keys(self._path) if self._path.exists() else None

    def write(self, keys: MacKeys, *, over: MacKeys | None) -> None:
        """Who writes takes turns: two commands at once do not undo each other."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if self._usable() != over:
                raise MacKeysError("the MAC keys were changed meanwhile; look, and do it again")
            write_mac_keys(self._path, keys)
            os.fsync(folder)
        finally:
            os.close(folder)

    def _usable(self) -> MacKeys | None:
        try:
            return self.read()
        except MacKeysError:
            return None

    def fresh_key(self) -> bytes:
        return os.urandom(MAC_KEY_BYTES_MIN)


def mac_keys_from_text(text: str) -> MacKeys:
    """From a setting: `0:mint:<Base64>`, several separated by commas. Raises MacKeysError."""
    generations = {}
    for part in text.split(","):
        number, _, rest = part.strip().partition(":")
        state, _, key = rest.partition(":")
        generation = _generation(number, {"state": state, "key": key})
        generations[generation.number] = generation
    return MacKeys(generations)


class MacKeyFile:
    """The keys as a running process sees them: `keys()` is cheap and follows the file."""

    def __init__(self, path: Path, monotonic: Callable[[], float]) -> None:
        self._path = path
        self._monotonic = monotonic
        # The mark first: what replaces the file while it is read is then seen at the next look.
        self._seen = self._mark()
        self._keys = read_mac_keys(path)
        self._looked_at = monotonic()

    def keys(self) -> MacKeys:
        now = self._monotonic()
        if now - self._looked_at >= LOOK_AGAIN_SECONDS:
            self._looked_at = now
            self._look_again()
        return self._keys

    def _look_again(self) -> None:
        mark = self._mark()
        if mark is None or mark == self._seen:
            return
        try:
            self._keys = read_mac_keys(self._path)
        except MacKeysError:
            return  # Half-edited or taken away: go on with what was good; a restart will say.
        self._seen = mark

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
