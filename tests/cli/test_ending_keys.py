"""`keyhalt key delete --with-offspring`, `key tree`, `user end-keys`, `datasource set-policy`."""

from __future__ import annotations

from pathlib import Path

from starlette.testclient import TestClient

from keyhalt.config import load_settings
from keyhalt.core.decisions import Allowed
from keyhalt.main import MainTools
from keyhalt.running import application
from tests.cli.conftest import Keyhalt, create, decide


def child_of(data: Path, key: str) -> str:
    """The value of a key that a key made, over the wire."""
    settings = load_settings(data=data, apps="")
    with MainTools().engine(data=data) as engine:
        app = application(settings, engine, [])
        http = TestClient(app, base_url="https://testserver")
        headers = {"ECI-ApiKey": key}
        made = http.post("/api/v3/apiKey", json={"apiKeyName": "child"}, headers=headers)
        return str(made.json()["apiKey"])


def test_a_key_ends_with_its_offspring_and_alone_without(keyhalt: Keyhalt, data: Path) -> None:
    """Down the tree in one epoch; what is deleted alone leaves what it made."""
    first = create(keyhalt)
    second = child_of(data, first)
    third = child_of(data, second)
    rows = keyhalt("key", "tree", "1", "-o", "json").json
    assert [(row["id"], row["made_with"]) for row in rows] == [
        (1, "operator"),
        (2, "key 1"),
        (3, "key 2"),
    ]
    assert keyhalt("key", "delete", "2", "--yes").code == 0
    assert isinstance(decide(data, third), Allowed)
    done = keyhalt("key", "delete", "1", "--with-offspring", "--yes")
    assert done.code == 0
    assert "Deleted 2 keys: 1, 3. In effect everywhere: epoch" in done.err
    assert not any(isinstance(decide(data, each), Allowed) for each in (first, second, third))
    again = keyhalt("key", "delete", "1", "--with-offspring", "--yes")
    assert (again.code, "none that was not deleted before" in again.err) == (0, True)


def test_the_keys_of_a_user_since_a_time_end(keyhalt: Keyhalt, data: Path) -> None:
    """Nothing since tomorrow; everything since the beginning."""
    value = create(keyhalt)
    late = keyhalt("user", "end-keys", "jsmith", "--made-since", "2999-01-01", "--yes")
    assert (late.code, late.err) == (0, "There is no such key.\n")
    assert isinstance(decide(data, value), Allowed)
    done = keyhalt("user", "end-keys", "jsmith", "--made-since", "2020-01-01T00:00:00Z", "--yes")
    assert "Deleted 1 keys: 1." in done.err
    assert not isinstance(decide(data, value), Allowed)


def test_many_keys_are_not_ended_by_mistake(keyhalt: Keyhalt, data: Path) -> None:
    """Elsewhere than on a terminal it wants --yes; wrong words change nothing."""
    value = create(keyhalt)
    for words, code in (
        (("key", "delete", "1", "--with-offspring"), 2),
        (("key", "delete", "9", "--with-offspring", "--yes"), 5),
        (("key", "tree", "9"), 5),
        (("user", "end-keys", "jsmith", "--made-since", "2020-01-01"), 2),
        (("user", "end-keys", "jsmith", "--made-since", "yesterday", "--yes"), 2),
        (("user", "end-keys", "nobody", "--made-since", "2020-01-01", "--yes"), 5),
        (("datasource", "set-policy", "acme"), 2),
        (("datasource", "set-policy", "acme", "--password-length-min", "7"), 1),
        (("datasource", "set-policy", "acme", "--password-length-min", "65"), 1),
        (("datasource", "set-policy", "nowhere", "--keys-create-keys", "deny"), 5),
    ):
        assert keyhalt(*words).code == code, words
    assert isinstance(decide(data, value), Allowed)
    row = keyhalt("datasource", "list", "-o", "json").json[0]
    assert (row["keys_create_keys"], row["password_length_min"]) == ("allow", 15)


def test_a_policy_is_set_and_the_rest_of_it_stays(keyhalt: Keyhalt) -> None:
    assert keyhalt("datasource", "set-policy", "acme", "--keys-create-keys", "deny").code == 0
    done = keyhalt("datasource", "set-policy", "acme", "--password-length-min", "20")
    assert "Set the policy of acme. In effect everywhere" in done.err
    row = keyhalt("datasource", "list", "-o", "json").json[0]
    assert (row["keys_create_keys"], row["password_length_min"]) == ("deny", 20)
