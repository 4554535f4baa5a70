"""The page "API Keys and Webhooks" where one process is not enough: any worker answers any step.

Each request comes on a connection of its own, so that the workers take turns; and once as a browser
has it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field

import httpx2
import pytest

from tests.journeys.conftest import Server
from tests.journeys.installing import answered
from tests.pages.browsing import OURS, value_in

TIMES = 12
CHROMIUM = shutil.which("chromium")


@dataclass
class Visitor:
    """A browser that opens a connection for each request."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, **form: str) -> httpx2.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {**OURS, "Cookie": cookie, "Connection": "close"}
        answer = httpx2.request(
            method, self.url + path, data=form or None, headers=headers, timeout=60
        )
        self.cookies |= dict(answer.cookies)
        return answer

    def sign_in(self, server: Server) -> None:
        form = {"user_code": server.user_code, "password": server.password}
        answer = self.ask("POST", "/sign-in", datasource=server.datasource, **form)
        assert answer.status_code == 303, answer.text


@pytest.fixture(scope="module")
def server(server_on_either: Server) -> Server:
    return server_on_either


@pytest.fixture
def visitor(server: Server) -> Visitor:
    signed_in = Visitor(server.url)
    signed_in.sign_in(server)
    return signed_in


def test_a_session_is_one_whichever_worker_answers_and_ends_on_all(visitor: Visitor) -> None:
    """Signed in at one, known to each; signed out at one, unknown to each."""
    assert {visitor.ask("GET", "/keys").status_code for _ in range(TIMES)} == {200}
    kept = dict(visitor.cookies)
    assert visitor.ask("POST", "/sign-out").status_code == 303
    visitor.cookies = kept
    answers = [visitor.ask("GET", "/keys") for _ in range(TIMES)]
    assert {(each.status_code, each.headers["location"].split("?")[0]) for each in answers} == {
        (303, "/sign-in")
    }


def test_a_key_is_made_shown_once_used_everywhere_and_ended_everywhere(
    server: Server, visitor: Visitor
) -> None:
    """The whole life of a key by the page, each step at whichever worker."""
    made = visitor.ask("POST", "/keys/new", name="everywhere", description="")
    assert made.status_code == 303
    where = made.headers["location"]
    text = value_in(visitor.ask("GET", where).text)
    again = [visitor.ask("GET", where).text for _ in range(TIMES)]
    assert not any(text in page for page in again)
    assert answered(server.url, text, TIMES) == {200}
    number = where.split("/")[2].split("?")[0]
    told = visitor.ask("POST", f"/keys/{number}/delete")
    assert told.status_code in (200, 303), told.text
    assert answered(server.url, text, TIMES) == {401}
    if told.status_code == 200:
        assert "In effect" in told.text


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_makes_and_deletes_a_key(server: Server) -> None:
    """With a real browser, its cookies and its connections."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(base_url=server.url)
        page.goto("/sign-in")
        page.fill("#datasource", server.datasource)
        page.fill("#user_code", server.user_code)
        page.fill("#password", server.password)
        page.keyboard.press("Enter")
        page.wait_for_url("**/keys")
        page.goto("/keys/new")
        page.fill("#name", "by browser")
        page.keyboard.press("Enter")
        page.wait_for_selector("#plain", state="attached")
        text = (page.text_content("#plain") or "").strip()
        assert answered(server.url, text, TIMES) == {200}
        page.goto("/keys?q=by+browser")
        page.click("text=by browser")
        page.click("text=Delete")
        page.click("button:has-text('Delete')")
        page.wait_for_selector("text=In effect")
        assert answered(server.url, text, TIMES) == {401}
        browser.close()
