"""What `[[environment]]` may say; what is wrong stops the start with a sentence."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx2
import pytest

from keyhalt.cli.app import run
from keyhalt.config import SettingsError
from keyhalt.environments import load_installation
from keyhalt.library import open_verifier
from keyhalt.main import MainTools
from tests.cli.conftest import KEYHALT
from tests.environments.conftest import HOSTS, Installation, table
from tests.world import ORDERS

IMPLEMENTATION, PRODUCTION, EU = map(table, HOSTS)


def test_a_misspelt_variable_stops_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would leave the setting at its default; what programs have for themselves may stay."""
    for name in ("KEYHALT_URL", "KEYHALT_API_KEY", "KEYHALT_ENVIRONMENT", "XKEYHALT_PROFIL"):
        monkeypatch.setenv(name, "")
    load_installation("", {})
    for wrong, meant in (("PROFIL", "PROFILE"), ("Lease", "LEASE_SECONDS"), ("CONFIGS", "CONFIG")):
        with monkeypatch.context() as patch:
            patch.setenv(f"KEYHALT_{wrong}", "x")
            says = f"no setting KEYHALT_{wrong.upper()}; did you mean .*KEYHALT_{meant}"
            with pytest.raises(SettingsError, match=says):
                load_installation("", {})


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        (IMPLEMENTATION + PRODUCTION.replace("app.", "Implement."), "the host 'implement."),
        (PRODUCTION + PRODUCTION.replace("app.", "other."), "both have the name 'production'"),
        (PRODUCTION + EU + 'aliases = ["production"]', "both have the name 'production'"),
        (PRODUCTION + 'hostname = "x"', "'Production': 'hostname' is no setting"),
        (PRODUCTION + "port = 8080", "'Production': 'port' is no setting of an environment"),
        (PRODUCTION + 'memory_entries = "x"', "'Production': setting KEYHALT_MEMORY_ENTRIES"),
        (PRODUCTION.replace("app.example.com", "app.example.com:443"), "has a port"),
        (PRODUCTION.replace("app.example.com", "::1"), "'::1' is no host"),
        (PRODUCTION.replace("app.", "*."), "is no host"),
        (PRODUCTION.replace('["app.example.com"]', "[]"), "'Production' needs its hosts"),
        (PRODUCTION.replace('["app.example.com"]', '"app"'), "hosts must be a list"),
        (PRODUCTION.replace('["app.example.com"]', "[1]"), "hosts must be a list"),
        (PRODUCTION.replace('"ecap"', "1"), "product must be a text"),
        (PRODUCTION.replace('name = "Production"', ""), "number 1 has no name"),
        (PRODUCTION.replace("Production", "a|b"), "a name must not hold any of"),
        (PRODUCTION.replace("Production", ".."), "such a name is no folder"),
        (PRODUCTION + 'aliases = ["a,b"]', "must not hold a comma"),
        ('environment = "Production"', "must be a list of tables"),
        (PRODUCTION + 'data = "x"\n' + EU + 'data = "./x"', "have the same folder"),
        (
            PRODUCTION + 'mac_keys_file = "x"\n' + EU + 'mac_keys_file = "x"',
            "have the same file of MAC keys",
        ),
        (
            PRODUCTION + 'database_url = "x"\n' + EU + 'database_url = "x"',
            "have the same database",
        ),
        (PRODUCTION + "internal_port = 0", "say which internal port"),
        ("internal_port = 9\n" + PRODUCTION + EU, "have the same internal port"),
        ('aliases = "Old"\n' + PRODUCTION, "aliases stand in the [[environment]]"),
        ("colour = 1\n" + PRODUCTION, "setting KEYHALT_COLOUR"),
        ("[[environment]", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tables: str,
    says: str,
) -> None:
    """Exit 78 before anything is opened."""
    file = tmp_path / "keyhalt.toml"
    file.write_text(tables)
    monkeypatch.setenv("KEYHALT_CONFIG", str(file))
    monkeypatch.setenv("KEYHALT_INSECURE_HTTP", "true")
    assert run(MainTools, ["serve", "--port", "0"]) == 78
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_what_two_environments_share_by_a_variable_is_refused_too(
    three: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MAC keys and a database are each environment's own."""
    monkeypatch.setenv("KEYHALT_MAC_KEYS", "0:mint:" + "A" * 44)
    with pytest.raises(SettingsError, match="have the same MAC keys"):
        load_installation("", {})
    monkeypatch.delenv("KEYHALT_MAC_KEYS")
    monkeypatch.setenv("KEYHALT_DATABASE_URL", "postgresql://db/keyhalt")
    with pytest.raises(SettingsError, match="have the same database"):
        load_installation("", {})


def test_an_environment_has_settings_of_its_own_before_the_installations(
    three: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its table, then variables, then the head of the file."""
    three.write(PRODUCTION + "legacy_login = false\nmemory_entries = 7\n", EU)
    monkeypatch.setenv("KEYHALT_MEMORY_ENTRIES", "9")
    production, eu = load_installation("", {}).environments
    assert (production.settings.legacy_login, eu.settings.legacy_login) == (False, True)
    assert (production.settings.memory_entries, eu.settings.memory_entries) == (7, 9)
    assert production.settings.data == three.folder / "Production"
    body = {"dataSource": "acme", "username": "jsmith", "password": "wrong"}
    monkeypatch.delenv("KEYHALT_MEMORY_ENTRIES")
    with three.client() as http:
        for host in (HOSTS["Production"], HOSTS["EU Production"]):
            answer = http.post("/api/v3/login", json=body, headers={"Host": host})
            assert answer.json()["code"] == "invalid_sign_in"


def test_a_command_is_about_one_environment(
    three: Installation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named by an option or a variable; without one, the command asks which."""

    def keyhalt(*arguments: str) -> tuple[int, str]:
        code = run(MainTools, arguments)
        said = capsys.readouterr()
        return code, said.out + said.err

    code, said = keyhalt("datasource", "create", "east")
    assert code == 78
    assert "--environment: Implementation, Production, EU Production" in said
    assert keyhalt("datasource", "create", "east", "--environment", "EU Production")[0] == 0
    assert "east" in keyhalt("datasource", "list", "--environment", "EU Production")[1]
    assert "east" not in keyhalt("datasource", "list", "--environment", "Production")[1]
    monkeypatch.setenv("KEYHALT_ENVIRONMENT", "EU Production")
    assert "east" in keyhalt("datasource", "list")[1]
    assert "there is no environment 'EU'" in keyhalt("key", "list", "--environment", "EU")[1]
    monkeypatch.delenv("KEYHALT_CONFIG")
    monkeypatch.setenv("KEYHALT_PROFILE", str(ORDERS))
    data = ("--data", str(three.folder / "Production"))
    code, said = keyhalt("datasource", "list", *data)
    assert code == 78
    assert "is of the environment 'Production', not of 'EU Production'" in said


def test_a_store_that_is_another_environments_stops_the_start(
    three: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folders that were mixed up would let the keys of one count at the host of another."""
    mixed = PRODUCTION + f'data = "{three.folder / "EU Production"}"\n'
    three.write("insecure_http = true\n", mixed)
    assert run(MainTools, ["serve", "--port", "0"]) == 78
    assert "is of the environment 'EU Production', not of 'Production'" in capsys.readouterr().err
    three.write("insecure_http = true\n", PRODUCTION.replace("ecap", "keyhalt"))
    assert run(MainTools, ["serve", "--port", "0"]) == 78
    assert "is of the product 'ecap', not of 'keyhalt'" in capsys.readouterr().err


def test_workers_serve_by_host_too(three: Installation) -> None:
    """Each process knows the hosts, and what the command said of environments."""
    three.write("insecure_http = true\n", *map(table, HOSTS))
    command = [KEYHALT, "serve", "--port", "0", "--workers", "2", "--environment", "Production"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[-1]
        codes = {}
        for name, host in HOSTS.items():
            headers = {"ECI-ApiKey": three.keys[name], "Host": host}
            codes[name] = httpx2.get(f"{url}/api/v3/me", headers=headers, timeout=60).status_code
        process.terminate()
        process.communicate(timeout=60)
    assert codes == {"Implementation": 421, "Production": 200, "EU Production": 421}


def test_an_app_of_ones_own_opens_the_environment_that_it_names(three: Installation) -> None:
    """The settings are the server's; without a name it asks which."""
    with pytest.raises(SettingsError, match="say which environment"):
        open_verifier()
    verifier = open_verifier(environment="EU Production")
    assert verifier.realm == "EU Production"
    verifier.close()
