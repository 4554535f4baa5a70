"""What holds across commands: no forgery counts, no secret shows, nothing starts undecided."""

from __future__ import annotations

import base64
import stat
import subprocess
import zlib
from pathlib import Path

import pytest

from tests.cli.conftest import PASSWORD, Keyhalt, create, process

OLD = "legacy-key-of-another-system-0123456789"


def forged(key: str, generation: int) -> str:
    """A text with the ids of `key` and a good checksum, made without a MAC key."""
    where, whose, _ = key.split(".")
    body = bytes([0x10 | generation]) + b"x" * 31
    checksum = zlib.crc32(f"{where}.{whose}.".encode() + body).to_bytes(4, "big")
    return ".".join((where, whose, base64.b64encode(body + checksum).decode()))


def test_a_forged_text_never_reads_as_counting(
    keyhalt: Keyhalt, data: Path, tmp_path: Path
) -> None:
    """Also while its MAC cannot be checked, and nothing of the owner is told."""
    file = tmp_path / "found"
    file.write_text(forged(create(keyhalt), 0))
    found = keyhalt("key", "identify", "--key-file", file, "-o", "json")
    assert (found.code, found.json["mac"], found.json["state"]) == (3, "does not hold", "forged")
    (data / "mac-keys.toml").unlink()
    assert keyhalt("mac-key", "lost").code == 0
    found = keyhalt("key", "identify", "--key-file", file, "-o", "json")
    said = found.json
    assert (found.code, said["mac"], said["state"]) == (3, "cannot be checked", "unknown")
    assert "owner" not in said


def test_an_imported_key_is_identified_by_its_digest(keyhalt: Keyhalt, tmp_path: Path) -> None:
    """A text of another system says nothing of itself; the store does."""
    file = tmp_path / "old"
    file.write_text(OLD)
    identify = ("key", "identify", "--key-file", file, "-o", "json")
    assert keyhalt(*identify).code == 3
    keyhalt("key", "import", "--owner", "jsmith", "--name", "old", "--key-file", file)
    found = keyhalt(*identify)
    assert (found.code, found.json["owner"], found.json["key_id"]) == (0, "jsmith", 1)
    assert OLD not in found.out + found.err
    keyhalt("key", "delete", 1, "--yes")
    assert (keyhalt(*identify).code, keyhalt(*identify).json["state"]) == (3, "deleted")


def test_generation_0_is_named_in_the_audit_log(keyhalt: Keyhalt) -> None:
    """Zero is a number too."""
    keyhalt("mac-key", "add")
    keyhalt("mac-key", "mint", 1)
    keyhalt("mac-key", "mint", 0)
    assert keyhalt("audit", "list", "-o", "json").json[0]["object"] == "mac_key 0"


def test_no_secret_is_in_any_listing(keyhalt: Keyhalt, data: Path) -> None:
    """Neither a value, nor a MAC key, nor a password, in either form of output."""
    value = create(keyhalt)
    mac_key = (data / "mac-keys.toml").read_text().split('key = "')[1].split('"')[0]
    for command in (
        ("key", "list"),
        ("key", "show", 1),
        ("user", "list"),
        ("user", "show", "ada"),
        ("audit", "list"),
        ("mac-key", "list"),
        ("mac-key", "add"),
    ):
        forms = ([], ["-o", "json"]) if command[-1] != "add" else ([],)
        for form in forms:
            done = keyhalt(*command, *form)
            assert done.code == 0, done
            for secret in (value, value.split(".")[2], mac_key, PASSWORD):
                assert secret not in done.out + done.err


def test_what_is_not_text_is_no_password_and_no_key(keyhalt: Keyhalt, tmp_path: Path) -> None:
    """Bytes instead of UTF-8, on every command that reads a secret."""
    file = tmp_path / "bytes"
    file.write_bytes(b"\xff\xfe\x80" * 20)
    for command in (
        ("user", "set-password", "jsmith", "--password-file", file),
        ("key", "identify", "--key-file", file),
        ("key", "import", "--owner", "jsmith", "--name", "x", "--key-file", file),
    ):
        done = keyhalt(*command)
        assert done.code in {1, 3}, done
        assert "not text" in done.err


def test_a_value_that_nobody_could_read_leaves_no_key(keyhalt: Keyhalt, data: Path) -> None:
    """A full disk behind stdout: the key is deleted again and the exit code says so."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    command = ("key", "create", "--owner", "jsmith", "--name", "x", "-o", "key", "--data", data)
    with Path("/dev/full").open("w") as full:
        done = process(*command, stdout=full)
    assert done.returncode == 1
    assert "was deleted" in done.stderr
    assert "Traceback" not in done.stderr
    assert keyhalt("key", "list", "-o", "json").json == []


def test_the_server_does_not_start_before_transport_is_decided(
    keyhalt: Keyhalt, data: Path
) -> None:
    """A process of its own: exit 78, and the three ways to decide."""
    assert keyhalt("db", "check").code == 0
    done = process("serve", "--data", data, "--port", 0, stdout=subprocess.PIPE, timeout=30)
    assert done.returncode == 78
    for name in ("CERTIFICATE", "TRUSTED_PROXIES", "INSECURE_HTTP"):
        assert f"KEYHALT_{name}" in done.stderr


def test_files_of_an_installation_are_private(keyhalt: Keyhalt, data: Path) -> None:
    """Stores and MAC keys are their user's alone."""
    create(keyhalt)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in data.iterdir()}
    assert modes == {0o600}


def test_a_mistyped_proxy_stops_the_start(
    keyhalt: Keyhalt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ignored, it would be a proxy that is not believed; `*` would believe everybody."""
    for wrong in ("10.0.0.0/33", "proxy.example", "*", "10.0.0.1,nonsense", ",", " , "):
        monkeypatch.setenv("KEYHALT_TRUSTED_PROXIES", wrong)
        done = keyhalt("serve", "--port", "0")
        assert (done.code, "KEYHALT_TRUSTED_PROXIES" in done.err) == (78, True), wrong


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("ALIASES", "a|b"),
        ("AUDIT_SYSLOG", "logs:99999"),
        ("AUDIT_SYSLOG", "logs:0"),
        ("AUDIT_SYSLOG", "logs"),
    ],
)
def test_what_cannot_be_meant_stops_the_start_in_words(
    keyhalt: Keyhalt, monkeypatch: pytest.MonkeyPatch, name: str, wrong: str
) -> None:
    """The setting is named, and what it must look like, without a pattern."""
    monkeypatch.setenv(f"KEYHALT_{name}", wrong)
    done = keyhalt("serve", "--port", 0)
    assert done.code == 78
    assert f"setting KEYHALT_{name}: " in done.err
    assert "pattern" not in done.err


def test_a_deactivated_datasource_makes_no_keys(keyhalt: Keyhalt) -> None:
    """A key that would not count is not handed out."""
    keyhalt("datasource", "deactivate", "acme")
    made = keyhalt("key", "create", "--owner", "jsmith", "--name", "job", "-o", "key")
    assert (made.code, made.out, "acme is deactivated" in made.err) == (1, "", True)
