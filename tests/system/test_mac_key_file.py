"""The file of MAC keys: private, whole, followed by running processes, clear when it is wrong."""

from __future__ import annotations

import asyncio
import base64
import stat
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from keyhalt.core.decisions import Allowed, Denied, Presented
from keyhalt.core.secrets import MacKeysError
from keyhalt.system.mac_key_file import (
    MacKeyFile,
    MacKeyFileStore,
    mac_keys_from_text,
    read_mac_keys,
)
from keyhalt.usecases.manage_mac_keys import ManageMacKeys
from tests.world import OPERATOR, ORIGIN, World


def ask(engine: object, key: str) -> Allowed | Denied:
    presented = Presented(keys=(key.encode(),), over_https=True)
    return asyncio.run(engine.verify.verify(presented))  # type: ignore[attr-defined]


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_init_makes_a_private_file_with_one_generation_that_mints(world: World) -> None:
    """Mode 0600, outside the database, 32 random bytes."""
    path = world.folder / "mac-keys.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = read_mac_keys(path)
    assert [(g.number, g.state, len(g.key)) for g in keys.generations.values()] == [(0, "mint", 32)]
    for file in world.folder.glob("*.db*"):
        assert keys.minting.key not in file.read_bytes()


LONG = base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("", 0o600, "holds no MAC key"),
        ("not toml [", 0o600, "not what keyhalt writes"),
        (f'[generation.0]\nstate="mint"\nkey="{LONG}"', 0o644, "chmod 600"),
        ('[generation.0]\nstate="mint"\nkey="c2hvcnQ="', 0o600, "has 5 bytes"),
        ('[generation.0]\nstate="mint"', 0o600, "has 0 bytes"),
        ('[generation.0]\nstate="mint"\nkey="%%%"', 0o600, "not what keyhalt writes"),
        (f'[generation.0]\nstate="best"\nkey="{LONG}"', 0o600, "not what keyhalt writes"),
        (f'[generation.0]\nstate="accept"\nkey="{LONG}"', 0o600, "must mint, 0 do"),
        (f'[generation.16]\nstate="mint"\nkey="{LONG}"', 0o600, "0 to 15"),
        (f'[generation.x]\nstate="mint"\nkey="{LONG}"', 0o600, "not what keyhalt writes"),
    ],
)
def test_a_wrong_file_stops_the_start_with_a_clear_message(
    tmp_path: Path, text: str, mode: int, says: str
) -> None:
    """It says which file and what is wrong, and never a key."""
    path = write(tmp_path / "mac-keys.toml", text, mode)
    with pytest.raises(MacKeysError, match=says) as error:
        read_mac_keys(path)
    assert LONG not in str(error.value)


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    """Nothing is made up in its place."""
    with pytest.raises(MacKeysError, match="mac-key lost"):
        read_mac_keys(tmp_path / "none.toml")


def test_the_setting_reads_several_generations() -> None:
    """0:mint:<Base64>,1:accept:<Base64>, for who keeps secrets in the environment."""
    keys = mac_keys_from_text(f"0:accept:{LONG},1:mint:{LONG}")
    assert keys.minting.number == 1
    with pytest.raises(MacKeysError):
        mac_keys_from_text("0:mint:short")


def test_a_running_process_follows_the_file(world: World) -> None:
    """Read again at most once a second, when it changed; half-edited, the good keys stay."""
    path, now = world.folder / "mac-keys.toml", [0.0]
    file = MacKeyFile(path, lambda: now[0])
    assert set(file.keys().generations) == {0}
    world.engine.manage_mac_keys.add(OPERATOR, ORIGIN)
    assert set(file.keys().generations) == {0}
    now[0] = 1.5
    assert set(file.keys().generations) == {0, 1}
    write(path, "half [")
    now[0] = 3.0
    assert set(file.keys().generations) == {0, 1}
    path.unlink()
    now[0] = 4.5
    assert set(file.keys().generations) == {0, 1}


def test_what_replaces_the_file_while_a_process_starts_is_seen_too(world: World) -> None:
    """Else a process that starts during a roll-out would refuse what the others make, for good."""
    manage, now = world.engine.manage_mac_keys, [0.0]

    class ReplacedOnceRead(type(world.folder)):  # type: ignore[misc]
        replaced = False

        def open(self, *how: Any, **more: Any) -> Any:
            file = super().open(*how, **more)
            if not ReplacedOnceRead.replaced:
                ReplacedOnceRead.replaced = True
                manage.add(OPERATOR, ORIGIN)
            return file

    file = MacKeyFile(ReplacedOnceRead(world.folder / "mac-keys.toml"), lambda: now[0])
    assert set(file.keys().generations) == {0}
    now[0] = 1.5
    assert set(file.keys().generations) == {0, 1}


def test_two_who_change_the_mac_keys_at_once_lose_nothing(world: World, tmp_path: Path) -> None:
    """The later one is told to look again; of two first keys the first one stays."""
    path, rights = world.folder / "mac-keys.toml", world.engine.rights

    class Outrun(MacKeyFileStore):
        """Another command is done between this one's look and its writing."""

        def fresh_key(self) -> bytes:
            other = ManageMacKeys(store=MacKeyFileStore(self._path), rights=rights, clock=clock)
            (other.first if self._path != path else partial(other.add, OPERATOR, ORIGIN))()
            return super().fresh_key()

    clock = world.engine.clock
    with pytest.raises(MacKeysError, match="meanwhile"):
        ManageMacKeys(store=Outrun(path), rights=rights, clock=clock).add(OPERATOR, ORIGIN)
    assert set(read_mac_keys(path).generations) == {0, 1}
    new = tmp_path / "new" / "mac-keys.toml"
    assert ManageMacKeys(store=Outrun(new), rights=rights, clock=clock).first() == read_mac_keys(
        new
    )


def test_accept_everywhere_then_mint_refuses_no_key(world: World) -> None:
    """Two processes, two generations: what either mints at any step counts with the other."""
    user = world.user("jsmith", "orders.view")
    texts = [world.key(user, "before")[1]]
    manage = world.engine.manage_mac_keys
    manage.add(OPERATOR, ORIGIN)
    accepting = world.other()
    texts.append(world.key(user, "added")[1])
    manage.mint(OPERATOR, 1, ORIGIN)
    minting = world.other()
    issued = minting.issue.create(
        OPERATOR,
        datasource_id=world.datasource_id,
        owner_id=user.user_id,
        name="after",
        description="",
        origin=ORIGIN,
    )
    texts.append(issued.text.reveal())
    for engine in (accepting, minting, world.other()):
        assert [type(ask(engine, text)) for text in texts] == [Allowed] * 3
        engine.close()


def test_with_the_file_lost_keys_still_count_by_their_digest(world: World) -> None:
    """`mac-key lost`: old keys go on, a forged text of the lost generation does not."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    path = world.folder / "mac-keys.toml"
    path.unlink()
    with pytest.raises(MacKeysError, match="mac-key lost"):
        world.other()
    minting = world.engine.manage_mac_keys.lost(OPERATOR, None, ORIGIN).minting
    assert minting.number == 1
    states = {row.number: row.state for row in world.engine.manage_mac_keys.list()}
    assert states == {0: "digest-only", 1: "mint"}
    engine = world.other()
    assert isinstance(ask(engine, key), Allowed)
    _, new = world.key(world.engine.look_up.user(world.datasource_id, "jsmith"), "new")
    assert isinstance(ask(engine, new), Allowed)
    engine.close()


def test_mac_keys_that_are_there_are_not_thrown_away(world: World) -> None:
    """The verb refuses, whoever calls it: without a number, and for one that never was."""
    path = world.folder / "mac-keys.toml"
    before = path.read_bytes()
    lost = world.engine.manage_mac_keys.lost
    assert lost(OPERATOR, None, ORIGIN, replace_unusable=True).fault == "conflict"
    assert lost(OPERATOR, 9, ORIGIN).reason == "not_found"
    assert path.read_bytes() == before


def test_a_generation_with_keys_is_not_removed(world: World) -> None:
    """Its number is free again only when its keys are gone."""
    user = world.user("jsmith", "orders.view")
    key_id, _ = world.key(user)
    manage = world.engine.manage_mac_keys
    manage.add(OPERATOR, ORIGIN)
    manage.mint(OPERATOR, 1, ORIGIN)
    assert "still has 1 keys" in manage.remove(OPERATOR, 0, ORIGIN).detail
    assert "mints" in manage.remove(OPERATOR, 1, ORIGIN).detail
    world.engine.delete_key(
        OPERATOR, datasource_id=world.datasource_id, key_id=key_id, origin=ORIGIN
    )
    assert manage.remove(OPERATOR, 0, ORIGIN).number == 0
    assert [row.number for row in manage.list()] == [1]
