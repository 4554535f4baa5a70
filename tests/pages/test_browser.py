"""The pages in a real browser: with and without script, by keyboard, enlarged, judged by axe.

Skipped, with the reason printed, where Debian's chromium is not installed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.serving import serving
from tests.world import OPERATOR, ORIGIN, PASSWORD, World, make_world, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
Open = Callable[..., "Page"]
# What can be seen and used. A checkbox is drawn by the browser, with an edge of its own.
CONTROLS = (
    "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea,"
    " summary')].filter(each => each.checkVisibility() && !each.disabled)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    """A served environment of the profile that ships, with the longest matrix of permissions."""
    world = make_world(tmp_path_factory.mktemp("site"), profile="energycap")
    world.user("boss", "*", full_name="The Boss")
    gone = world.user("gone", "*", full_name="Former Colleague")
    group = {"name": "Auditors", "description": "Read only", "members": [gone.user_id]}
    world.engine.manage_groups.create(OPERATOR, world.datasource_id, **group, origin=ORIGIN)
    keys = [world.key(gone, f"meter reader {number}") for number in range(3)]
    with serving(world, insecure_http=True) as running:
        for path in ("/api/v3/me", "/api/v3/nothing"):
            httpx2.get(f"{running.url}{path}", headers={"ECI-ApiKey": keys[0][1]})
        world.others[0].use_recorder.flush()
        yield world, running.url
    world.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(site: tuple[World, str], browser: Browser) -> Iterator[Open]:
    """Windows of their own, signed in as `boss`."""
    contexts = []

    def opened(**how: object) -> Page:
        context = browser.new_context(base_url=site[1], **how)
        contexts.append(context)
        page = context.new_page()
        page.goto("/sign-in")
        page.fill("#datasource", "acme")
        page.fill("#user_code", "boss")
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/keys")
        return page

    yield opened
    for context in contexts:
        context.close()


def addresses(world: World) -> list[str]:
    boss = world.engine.look_up.user(world.datasource_id, "boss")
    gone = world.engine.look_up.user(world.datasource_id, "gone")
    assert boss is not None
    assert gone is not None
    one = world.engine.look_up.keys(world.datasource_id)[0]  # type: ignore[index]
    return [
        "/keys",
        "/keys?q=zzz",
        "/keys/new",
        f"/keys/{one.id}",
        f"/keys/{one.id}/delete",
        f"/keys/{one.id}/changeover",
        f"/keys/{one.id}/narrow",
        "/keys/advice",
        "/keys?order=idle",
        "/keys/999",
        "/webhooks",
        "/me",
        "/users",
        "/users/new",
        f"/users/{gone.user_id}",
        f"/users/{gone.user_id}/deactivate",
        "/groups",
        "/groups/1",
        "/roles",
        "/roles/new",
        f"/roles/{gone.role_id}",
        "/roles/1",
        "/activity",
        "/activity?request=none",
        "/activity?outcome=denied",
        "/sign-in",
        "/sign-in/password",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    site: tuple[World, str], open_page: Open, scheme: str
) -> None:
    """All its rules, and each page has the same ways to the others and no error in its script."""
    page = open_page(color_scheme=scheme)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for address in addresses(site[0]):
        answer = page.goto(address)
        assert answer is not None
        assert len(answer.body()) < 60_000, address
        for opener in page.locator("summary").all():
            opener.click()
        ways = page.locator('nav[aria-label="Pages"] a').all_inner_texts()
        assert ways in ([], ["API Keys and Webhooks", "Users", "Roles", "Activity"]), address
        wrong += judged(page)
    page.goto("/keys/new")
    page.fill("#name", f"judged in {scheme}")
    page.click("button.main")
    page.wait_for_url("**/value")
    wrong += judged(page)
    page.reload()
    wrong += judged(page)
    page.goto("/keys")
    wrong += refused_and_changed(site[0], page)
    wrong += ended(site[0], page, f"leaver-{scheme}")
    assert wrong == []


def refused_and_changed(world: World, page: Page) -> list[str]:
    """What axe says of pages that only a form leads to."""
    boss = world.engine.look_up.user(world.datasource_id, "boss")
    assert boss is not None
    page.goto("/me")
    page.fill("#full_name", "x" * 32)
    page.evaluate("document.querySelector('#full_name').maxLength = 99")
    page.fill("#full_name", "x" * 33)
    page.click("text=Save")
    assert page.locator('[role="alert"]').count() == 1
    wrong = judged(page)
    page.goto(f"/users/{boss.user_id}")
    page.click("text=Save")
    assert page.locator('[role="status"]').count() == 1
    wrong += judged(page)
    page.goto(f"/roles/{boss.role_id}")
    page.uncheck('[name="meters.view"]')
    page.click("text=See the difference")
    return wrong + judged(page)


def ended(world: World, page: Page, code: str) -> list[str]:
    """What axe says of what stands after a reset, the end of keys, a deactivation, a deletion."""
    user = world.user(code, "meters.view")
    world.key(user, "made by whom?")
    number, _ = world.key(world.engine.look_up.user(world.datasource_id, "gone"), code)  # type: ignore[arg-type]
    own = f"/users/{user.user_id}"
    wrong = []
    for address, fill, button, said in (
        (own, "#password", "text=Set password", "Sessions ended"),
        ("", "", "text=End this key", "ended for ever"),
        (f"{own}/deactivate", "", "button.danger", "Deactivated."),
        (f"/keys/{number}/delete", "", "button.danger", "In effect everywhere"),
    ):
        if address:
            page.goto(address)
        if fill:
            page.fill(fill, "given by somebody else")
        page.click(button)
        assert said in page.content(), address
        wrong += judged(page)
    return wrong


def judged(page: Page) -> list[str]:
    """What axe finds wrong, by all of its rules."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"rules": {"target-size": {"enabled": True}}})
    return [
        f"{page.url}: {each['id']} {each['nodes'][0]['html']}"
        for each in found.response["violations"]
    ]


@pytest.mark.parametrize("width", [390, 640], ids=["phone", "1280 at 200 %"])
def test_nothing_has_to_be_scrolled_sideways(
    site: tuple[World, str], open_page: Open, width: int
) -> None:
    """On a phone, and at twice the size on an ordinary screen (WCAG 1.4.10)."""
    page = open_page(viewport={"width": width, "height": 800})
    for address in addresses(site[0]):
        page.goto(address)
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0, address


def test_the_three_steps_with_script(site: tuple[World, str], open_page: Open) -> None:
    """Create, copy with spoken feedback, and a warning for who leaves before copying."""
    world, _ = site
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.click("text=Create API Key")
    page.fill("#name", "by browser")
    page.click("button.main")
    page.wait_for_url("**/value")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    value = page.input_value("#plain")
    page.click("nav >> text=API Keys and Webhooks", no_wait_after=True)
    page.wait_for_timeout(200)
    assert asked == ["beforeunload"]
    page.click('[data-copy="plain"]')
    page.wait_for_selector("text=Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == value
    page.click("text=I have stored it")
    page.wait_for_url("**/keys")
    page.go_back()
    assert value not in page.content()
    assert "not shown again" in page.content()
    found = world.engine.look_up.keys(world.datasource_id)
    assert [row.name for row in found].count("by browser") == 1  # type: ignore[union-attr]


def test_the_way_back_after_signing_out_shows_no_page_again(
    site: tuple[World, str], open_page: Open
) -> None:
    """Nothing was kept: the browser asks again, and is led to the sign-in."""
    page = open_page()
    page.goto("/users")
    assert "Former Colleague" in page.content()
    page.click("text=Sign out")
    page.wait_for_selector("#user_code")
    page.go_back()
    page.wait_for_selector("#user_code")
    assert page.url.endswith("/sign-in?next=/users")
    assert "Former Colleague" not in page.content()


def test_the_three_steps_without_script(site: tuple[World, str], open_page: Open) -> None:
    """Everything is there; only copying is by hand. And the key is deleted by its name."""
    page = open_page(java_script_enabled=False)
    page.goto("/keys/new")
    page.fill("#name", "plain html")
    page.click("button.main")
    page.wait_for_url("**/value")
    assert page.input_value("#plain").count(".") == 2
    assert not page.locator("[data-copy]").first.is_visible()
    page.click("text=I have stored it")
    page.click("text=plain html")
    page.click("text=Delete this key")
    page.click("button.danger")
    assert "In effect everywhere" in page.content()
    page.click("text=This receipt as JSON")
    until(lambda: page.reload() and json.loads(page.inner_text("body"))["inEffect"])
    assert json.loads(page.inner_text("body"))["inEffect"]["form"] == site[0].form


def test_the_secret_of_a_pasted_key_does_not_leave_the_browser(
    site: tuple[World, str], open_page: Open
) -> None:
    """The script sends its id instead."""
    world, _ = site
    gone = world.engine.look_up.user(world.datasource_id, "gone")
    assert gone is not None
    _, text = world.key(gone, "pasted")
    page = open_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.url} {request.post_data}"))
    page.fill("#q", f"  {text} ")
    page.click("[data-search] button")
    page.wait_for_url("**/keys?*")
    assert "pasted" in page.content()
    assert any("q=%23" in each for each in sent)
    assert not any(text.split(".")[2][:20] in each for each in sent)


def test_every_control_of_every_page_is_reached_by_tab_and_seen_there(
    site: tuple[World, str], open_page: Open
) -> None:
    """None is left out, and each has an outline while the focus is on it."""
    page = open_page()
    for address in addresses(site[0]):
        page.goto(address)
        for opener in page.locator("summary").all():
            opener.click()
        page.evaluate("document.activeElement.blur()")
        left = page.evaluate(f"window.left = new Set({CONTROLS}); left.size")
        unseen: list[str] = []
        for _ in range(2 * left):  # a date takes several
            page.keyboard.press("Tab")
            unseen += page.evaluate(
                "left.delete(document.activeElement), document.activeElement === document.body"
                " || getComputedStyle(document.activeElement).outlineStyle !== 'none'"
                " ? [] : [document.activeElement.outerHTML]"
            )
        missed = page.evaluate("[...left].map(each => each.outerHTML)")
        assert (missed, unseen) == ([], []), address


def test_every_page_is_read_and_used_in_forced_colours(
    site: tuple[World, str], open_page: Open
) -> None:
    """In the system's colours axe finds nothing, and each control has an edge and a text."""
    page = open_page(forced_colors="active", color_scheme="dark")
    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    wrong = []
    for address in addresses(site[0]):
        page.goto(address)
        wrong += judged(page)
        bare = (
            f"{CONTROLS}.filter(each => each.matches('button, .button, input, select, textarea'))"
            ".filter(each => each.type !== 'checkbox')"
            ".filter(each => parseFloat(getComputedStyle(each).borderWidth) < 1)"
            ".map(each => each.outerHTML)"
        )
        wrong += page.evaluate(bare)
        wrong += page.evaluate(
            f"{CONTROLS}.filter(each => getComputedStyle(each).color ==="
            " getComputedStyle(document.body).backgroundColor).map(each => each.outerHTML)"
        )
        wrong += page.evaluate(
            "[...document.querySelectorAll('.spark path')].filter(each =>"
            " getComputedStyle(each).fill !== getComputedStyle(document.body).color)"
            ".map(each => each.outerHTML)"
        )
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert wrong == []


def test_the_keyboard_alone_does_it(open_page: Open) -> None:
    """From the first tab stop, which skips to the content, to a new key; the focus is seen."""
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Create API Key":
            break
    style = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(style) != "none"
    page.keyboard.press("Enter")
    page.wait_for_url("**/keys/new")
    page.focus("#name")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    page.wait_for_url("**/value")
    assert Path(page.url).name == "value"


def test_a_role_is_changed_through_its_matrix(site: tuple[World, str], open_page: Open) -> None:
    """Tick a box, see the difference, save it."""
    world, _ = site
    role = world.engine.look_up.user(world.datasource_id, "gone")
    assert role is not None
    page = open_page()
    page.goto(f"/roles/{role.role_id}")
    page.uncheck('[name="meters.view"]')
    page.click("text=See the difference")
    assert page.locator("li").all_inner_texts() == ["- meters.view"]
    page.click("text=Save these changes")
    assert "In effect everywhere" in page.content()
    page.check('[name="meters.view"]')
    page.click("text=See the difference")
    page.click("text=Save these changes")
