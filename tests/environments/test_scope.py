"""A key counts in the environment where it was made, and in no other: the seed's table."""

from __future__ import annotations

import itertools
import sqlite3

from tests.environments.conftest import HOSTS, PAIRS, Installation, edited, set_up, table
from tests.world import PASSWORD, until


def test_a_key_works_in_its_own_environment_only(three: Installation) -> None:
    """Each pair, with the same datasource, user and key id everywhere."""
    with three.client() as http:
        for made, used in PAIRS:
            headers = {"ECI-ApiKey": three.keys[made], "Host": HOSTS[used]}
            answer = http.get("/api/v3/me", headers=headers)
            if made == used:
                assert answer.json()["systemUserCode"] == "jsmith"
                continue
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (401, "wrong_environment")
            assert f'realm="{used}"' in answer.headers["www-authenticate"]


def test_a_key_edited_to_name_another_environment_fails_on_its_mac(three: Installation) -> None:
    """Its checksum is right, so nothing but the MAC tells; the audit log there says so."""
    with three.client() as http:
        for made, used in PAIRS:
            if made == used:
                assert edited(three.keys[made], used) == three.keys[made]
                continue
            headers = {"ECI-ApiKey": edited(three.keys[made], used), "Host": HOSTS[used]}
            assert http.get("/api/v3/me", headers=headers).json()["code"] == "invalid_key"
    for used in HOSTS:
        with sqlite3.connect(three.folder / used / "use.db") as store:
            rows = store.execute("SELECT reason FROM audit_denial ORDER BY id").fetchall()
        store.close()
        assert rows == [("forged_key",)] * 2


def test_what_is_deleted_in_one_environment_stays_in_the_others(three: Installation) -> None:
    """The key ids are the same; the stores are not."""
    with three.client() as http:
        headers = {name: {"ECI-ApiKey": key} for name, key in three.keys.items()}
        assert http.delete("/api/v3/apiKey/1", headers=headers["Production"]).status_code == 204
        for name, host in HOSTS.items():
            answer = http.get("/api/v3/me", headers={**headers[name], "Host": host})
            assert answer.status_code == (401 if name == "Production" else 200)


def test_a_token_counts_at_its_own_host_only(three: Installation) -> None:
    """The deprecated way keeps to its environment too."""
    body = {"dataSource": "acme", "username": "jsmith", "password": PASSWORD}
    with three.client() as http:
        token = http.post("/api/v3/login", json=body).json()["token"]
        codes = {}
        for name, host in HOSTS.items():
            headers = {"Authorization": f"Bearer {token}", "Host": host}
            codes[name] = http.get("/api/v3/me", headers=headers).status_code
    assert codes == {"Implementation": 401, "Production": 200, "EU Production": 401}


def test_an_alias_is_a_further_name_in_keys(three: Installation) -> None:
    """An environment that got another name goes on accepting what was made under the old one."""
    store = sqlite3.connect(three.folder / "Production" / "rights.db")
    store.execute("UPDATE environment SET name = 'US East Production'")
    store.commit()
    store.close()
    renamed = table("Production").replace('name = "Production"', 'name = "US East Production"')
    renamed += f'data = "{three.folder / "Production"}"\n'
    key = {"ECI-ApiKey": three.keys["Production"]}
    three.write(renamed, table("EU Production"))
    with three.client() as http:
        assert http.get("/api/v3/me", headers=key).json()["code"] == "wrong_environment"
    three.write(renamed + 'aliases = ["Production"]\n', table("EU Production"))
    with three.client() as http:
        assert http.get("/api/v3/me", headers=key).status_code == 200
        elsewhere = {**key, "Host": HOSTS["EU Production"]}
        assert http.get("/api/v3/me", headers=elsewhere).json()["code"] == "wrong_environment"


def test_one_environment_on_postgresql_beside_another_on_sqlite(
    three: Installation, database_url: str
) -> None:
    """Each with a store, a lease and a form of revocation of its own, in one process."""
    more = (f'database_url = "{database_url}"', "lease_seconds = 5", 'data = "pg"')
    pg = table("Production", *more).replace('"pg"', f'"{three.folder / "pg"}"')
    three.write(pg, table("EU Production"))
    keys = {"Production": set_up("Production"), "EU Production": three.keys["EU Production"]}
    with three.client() as http:
        until(lambda: http.get("/readyz", headers={"Host": "localhost"}).status_code == 200)
        for made, used in itertools.product(keys, keys):
            headers = {"ECI-ApiKey": keys[made], "Host": HOSTS[used]}
            status = http.get("/api/v3/me", headers=headers).status_code
            assert status == (200 if made == used else 401)
        receipts = {}
        for name, key in keys.items():
            headers = {"ECI-ApiKey": key, "Host": HOSTS[name]}
            gone = http.delete("/api/v3/apiKey/1", headers=headers)
            receipts[name] = (gone.status_code, gone.headers["keyhalt-revocation"])
            assert http.get("/api/v3/me", headers=headers).status_code == 401
    assert receipts["Production"][0] == receipts["EU Production"][0] == 204
    assert "form=barrier" in receipts["Production"][1]
    assert "form=guarded" in receipts["EU Production"][1]
