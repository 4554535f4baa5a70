"""The pages of several processes on PostgreSQL: whichever answers, it is one site."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.journeys.installing import answered, install
from tests.pages.browsing import create, save_role, send, sign_in, value_in
from tests.postgres import Server
from tests.world import PASSWORD, until

CHROMIUM = shutil.which("chromium")


class TakingTurns(httpx2.BaseTransport):
    """Each request goes to the next server, on a connection of its own."""

    def __init__(self, urls: list[str]) -> None:
        self._ports = itertools.cycle([httpx2.URL(url).port for url in urls])

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(port=next(self._ports))
        with httpx2.HTTPTransport() as transport:
            answer = transport.handle_request(request)
            answer.read()
            return answer


@pytest.fixture(scope="module")
def urls(
    any_postgres: Server | str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[str]]:
    """Two servers of two workers each: they have nothing but the database in common."""
    if isinstance(any_postgres, str):
        pytest.skip(any_postgres)
    database = any_postgres.create()
    made = install(tmp_path_factory.mktemp("pages") / "data", database)
    yield [made.serve(workers="2", drain_seconds="0.2")[1] for _ in range(2)]
    made.stop()
    any_postgres.drop(database)


@pytest.fixture
def site(urls: list[str]) -> Iterator[httpx2.Client]:
    """Nobody is signed in."""
    with httpx2.Client(base_url=urls[0], transport=TakingTurns(urls)) as http:
        yield http


@pytest.fixture
def ada(site: httpx2.Client) -> Any:
    """The administrator, signed in."""
    assert sign_in(site, "ada").status_code == 303  # type: ignore[arg-type]
    return site


def test_a_key_is_made_shown_once_and_deleted_whichever_process_answers(
    ada: Any, urls: list[str]
) -> None:
    """Made by one, shown by another, and then by none; deleted by its name, and dead in all."""
    made = create(ada, "to go")
    assert made.status_code == 303
    key = value_in(ada.get(made.headers["location"]).text)
    for _ in range(4):
        again = ada.get(made.headers["location"]).text
        assert "not shown again" in again
        assert key.split(".")[2] not in again
    assert [answered(url, key) for url in urls] == [{200}, {200}]
    one = made.headers["location"].removesuffix("/value")
    done = send(ada, f"{one}/delete", name="to go")
    assert "In effect everywhere" in done.text
    assert [answered(url, key) for url in urls] == [{401}, {401}]
    assert ada.get(one).status_code == 404


def test_of_many_who_ask_at_once_for_the_value_of_a_new_key_one_sees_it(ada: Any) -> None:
    """The pad is used up by who comes first, in whichever process."""
    made = create(ada, "raced")
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda _: ada.get(made.headers["location"]).text, range(8)))
    assert sum('id="plain"' in page for page in pages) == 1


def test_a_form_of_another_site_changes_nothing_in_any_process(ada: Any) -> None:
    """And one of ours counts in each."""
    foreign = {"sec-fetch-site": "cross-site"}
    for _ in range(4):
        assert send(ada, "/keys/new", foreign, name="forged", description="").status_code == 403
        assert create(ada, "ours").status_code == 303
    assert "forged" not in ada.get("/keys").text


def test_people_roles_and_groups_are_changed_whichever_process_answers(
    ada: Any, urls: list[str]
) -> None:
    """A user and a group are made; what a role gives up ends, and a sign-out is one everywhere."""
    role = send(ada, "/roles/new", name="Readers", description="", **{"meters.view": "on"})
    where = role.headers["location"].partition("?")[0]
    assert role.status_code == 303
    form = {
        "code": "mia",
        "full_name": "Mia",
        "email": "m@example.org",
        "role": where.rpartition("/")[2],
    }
    made = send(ada, "/users/new", **form, password="first of mia's words")
    assert "The user is made" in ada.get(made.headers["location"]).text
    group = send(ada, "/groups", name="Auditors", description="")
    one = group.headers["location"].partition("?")[0]
    assert send(ada, one, name="Auditors", description="", add="mia").status_code == 303
    assert "mia" in ada.get(one).text
    new = {"name": "Readers", "description": "less"}
    assert "In effect everywhere" in save_role(ada, where, **new).text
    with httpx2.Client(base_url=urls[0], transport=TakingTurns(urls)) as other:
        page = sign_in(other, "mia", "first of mia's words")  # type: ignore[arg-type]
        assert "has to be changed" in page.text
        form = {"datasource": "acme", "user_code": "mia", "password": "first of mia's words"}
        chosen = "quartz umbrella ninety"
        done = send(other, "/sign-in/password", **form, new_password=chosen, again=chosen)  # type: ignore[arg-type]
        assert done.status_code == 303
        assert sign_in(other, "mia", chosen).status_code == 303  # type: ignore[arg-type]
        assert [other.get("/me").status_code for _ in range(4)] == [200] * 4
        user = made.headers["location"].partition("?")[0]
        assert "Deactivated. In effect everywhere" in send(ada, f"{user}/deactivate").text
        assert [other.get("/me").status_code for _ in range(4)] == [303] * 4
    assert send(ada, "/sign-out").status_code == 303
    assert [ada.get("/keys").status_code for _ in range(4)] == [303] * 4


def test_what_one_process_refused_is_told_by_another(ada: Any, urls: list[str]) -> None:
    """On the page of what happened, by its request id; and the pages of advice are there."""
    made = create(ada, "refused")
    key = value_in(ada.get(made.headers["location"]).text)
    assert "nothing to advise" in ada.get("/keys/advice?kind=travelled_in_clear").text
    one = made.headers["location"].removesuffix("/value")
    assert "In effect" in send(ada, f"{one}/delete", name="refused").text
    answer = httpx2.get(f"{urls[0]}/api/v3/me", headers={"ECI-ApiKey": key})
    assert answer.status_code == 401
    asked = {"request": answer.json()["requestId"]}
    until(lambda: "Its key was deleted." in ada.get("/activity", params=asked).text)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_makes_and_deletes_a_key_where_several_workers_answer(urls: list[str]) -> None:
    """With its cookies and its connections."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(base_url=urls[0])
        page.goto("/sign-in")
        for name, value in (("datasource", "acme"), ("user_code", "ada"), ("password", PASSWORD)):
            page.fill(f"#{name}", value)
        page.keyboard.press("Enter")
        page.wait_for_url("**/keys")
        page.goto("/keys/new")
        page.fill("#name", "by browser")
        page.keyboard.press("Enter")
        page.wait_for_selector("#plain", state="attached")
        text = (page.text_content("#plain") or "").strip()
        assert answered(urls[0], text) == {200}
        page.goto("/keys?q=by+browser")
        page.click("text=by browser")
        page.click("text=Delete")
        page.click("button:has-text('Delete')")
        page.wait_for_selector("text=In effect everywhere")
        assert answered(urls[0], text) == {401}
        browser.close()
