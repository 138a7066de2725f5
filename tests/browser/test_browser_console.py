"""The console in a real browser: what an operator sees and does."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from browser_rig import Cloud, Visit
from console_seed import Evening
from playwright.sync_api import Page, Route, expect

from cloud.storage.engine import transaction
from models.alert import Reason, Severity

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]
Open = Callable[..., Visit]


def open_incident(page: Page, text: str) -> None:
    page.goto("/")
    page.locator("a.row-title").filter(has_text=text).first.click()
    page.wait_for_url("**/incidents/*")


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def raise_gas(cloud: Cloud, monitor: str) -> None:
    why = (Reason(code="above_limit", parameters={"value": 31.0, "limit": 20.0}),)
    about = {"severity": Severity.EXTREME, "value": 31.0, "unit": "%LEL", "reasons": why, "detector": "limit"}
    with transaction(cloud.main) as session:
        Evening(session, time.time_ns()).raise_alert(
            "gw-hall-2", "spare/gas", monitor, 0.0, hazard=monitor, **about
        )


def test_sign_in_says_what_is_wrong_and_then_lets_in(open_browser: Open) -> None:
    visit = open_browser()
    page = visit.page
    page.goto("/sign-in")
    page.click("button.main")
    expect(page.locator("[data-problem]")).to_have_text("Enter login and password.")
    page.fill("[name=login]", "chen")
    page.fill("[name=password]", "not-the-password")
    page.click("button.main")
    expect(page.locator("[data-problem]")).to_contain_text("Login or password is not right")
    page.fill("[name=password]", "plum-blossom-9")
    page.click("button.main")
    page.wait_for_url(lambda url: url.endswith("/"))
    expect(page.locator("h1")).to_contain_text("incidents wait for somebody")


def test_sign_in_goes_on_to_what_was_asked_for_but_never_elsewhere(open_browser: Open) -> None:
    page = open_browser().page
    page.goto("/fleet")
    page.wait_for_url("**/sign-in?next=**")
    page.goto("/sign-in?next=//evil.example/")
    page.fill("[name=login]", "chen")
    page.fill("[name=password]", "plum-blossom-9")
    page.click("button.main")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    assert page.url.startswith("http://127.0.0.1")


def test_queue_takes_in_a_new_incident_without_reload(open_browser: Open, served_cloud: Cloud) -> None:
    visit = open_browser("chen")
    page = visit.page
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    page.evaluate("window.sameDocument = true")
    rows = page.locator("ol[data-list=hazard] > li")
    before = rows.count()
    raise_gas(served_cloud, "first-gas")
    fresh = page.locator("ol[data-list=hazard] > li.new, [data-fresh]:not([hidden])")
    expect(fresh.first).to_be_visible()
    if page.locator("[data-fresh]:not([hidden])").count():
        page.locator("[data-fresh]:not([hidden])").first.click()
    expect(rows).to_have_count(before + 1)
    assert page.evaluate("window.sameDocument")
    assert visit.complaints == []


def test_queue_holds_a_new_row_while_somebody_reads(open_browser: Open, served_cloud: Cloud) -> None:
    page = open_browser("chen").page
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    rows = page.locator("ol[data-list=hazard] > li")
    before, first = rows.count(), rows.first.get_attribute("data-key")
    waiting = int(re.findall(r"\d+", page.locator("h1").inner_text())[0])
    page.mouse.move(300, 300)
    page.mouse.move(310, 300)
    raise_gas(served_cloud, "second-gas")
    button = page.locator("[data-fresh]:not([hidden])")
    expect(button).to_have_text("1 new, show")
    expect(page.locator("h1")).to_contain_text(f"{waiting + 1} incidents")
    assert (rows.count(), rows.first.get_attribute("data-key")) == (before, first)
    button.click()
    expect(rows).to_have_count(before + 1)
    expect(page.locator("ol[data-list=hazard] > li.new")).to_contain_text("second-gas")


def test_queue_says_when_it_is_cut_off_and_when_it_is_back(open_browser: Open) -> None:
    visit = open_browser("chen")
    page = visit.page
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    page.route("**/api/v1/events", lambda route: route.abort())
    page.reload()
    expect(page.locator("#live")).to_have_attribute("data-state", "reconnecting")
    page.unroute("**/api/v1/events")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")


def test_incident_page_draws_the_chart(open_browser: Open) -> None:
    visit = open_browser("chen")
    page = visit.page
    open_incident(page, "402")
    expect(page.locator("[data-chart] canvas")).to_be_visible()
    assert int(page.locator("[data-chart]").get_attribute("data-drawn") or 0) > 20
    expect(page.locator("[data-chart-note]")).to_contain_text("ppm")
    expect(page.locator("[data-chart-keys]")).to_contain_text("Limit")
    page.get_by_role("button", name="Show its chart").nth(1).click()
    expect(page.locator("[data-chart-title]")).to_have_text("Temperature · kitchen/temperature")
    expect(page.locator("[data-chart-keys]")).to_contain_text("Expected band")
    page.locator("[data-chart]").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-chart-note]")).to_contain_text("°C")
    assert visit.complaints == []


def test_incident_page_shows_a_past_moment_in_the_chart(open_browser: Open) -> None:
    visit = open_browser("chen")
    page = visit.page
    page.locator("a.row-title").filter(has_text="canteen").first.click()
    expect(page.locator("[data-chart] canvas")).to_be_visible()
    around = page.get_by_role("button", name="Around the alert")
    before = page.locator("[data-chart-note]").inner_text()
    moment = page.locator("[data-moment]").first
    moment.click()
    expect(moment).to_have_attribute("aria-pressed", "true")
    expect(around).to_have_attribute("aria-pressed", "false")
    expect(page.locator("[data-chart-note]")).not_to_have_text(before)
    around.click()
    expect(moment).to_have_attribute("aria-pressed", "false")
    expect(page.locator("[data-chart-note]")).to_have_text(before)
    assert visit.complaints == []


def test_incident_is_acknowledged_noted_and_resolved(open_browser: Open) -> None:
    visit = open_browser("chen")
    page = visit.page
    open_incident(page, "Lift stopped")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("[data-part=head]")).to_contain_text("Chen Jie")
    page.fill("#note", "Lift company called")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("ol.timeline > li").first).to_contain_text("Lift company called")
    page.get_by_role("button", name="Resolve").click()
    page.locator("#resolve input").fill("People are out")
    page.locator("#resolve button.main").click()
    expect(page.locator("[data-part=head]")).to_contain_text("Resolved")
    expect(page.locator("ol.timeline")).to_contain_text("Resolved. People are out")
    assert visit.complaints == []


def test_places_come_though_the_first_request_for_them_fails(open_browser: Open) -> None:
    page = open_browser("chen").page
    failed = []

    def refuse_once(route: Route) -> None:
        if failed:
            route.continue_()
        else:
            failed.append(route.request.url)
            route.fulfill(status=503, body="")

    page.route("**/api/v1/places*", refuse_once)
    page.goto("/incidents/new")
    expect(page.locator("[name=place] option")).not_to_have_count(1)
    assert failed, "the first request was refused"


def test_incident_is_opened_by_a_person(open_browser: Open) -> None:
    page = open_browser("chen").page
    page.goto("/incidents/new")
    page.select_option("[name=site]", "street")
    page.select_option("[name=place]", "b1/f0/boiler")
    page.select_option("[name=hazard]", "gas")
    page.check("[name=severity][value=severe]")
    page.fill("[name=summary]", "Smell of gas in the boiler room")
    page.get_by_role("button", name="Open the incident").click()
    page.wait_for_url(re.compile(r"/incidents/[0-9a-f]{8,}"))
    expect(page.locator("h1")).to_have_text("Smell of gas in the boiler room")
    expect(page.locator("[data-part=task]")).to_contain_text("Go and look")


@pytest.mark.row("B17")
def test_markup_in_names_is_inert_in_the_browser(open_browser: Open) -> None:
    visit = open_browser("chen")
    page = visit.page
    open_incident(page, "radiation")
    expect(page.locator("[data-chart-title]")).to_contain_text("<img src=x onerror")
    page.goto("/")
    expect(page.locator("a.row-title").filter(has_text="<script>")).to_have_count(1)
    assert page.locator("main img, main script").count() == 0
    assert "pwned" not in page.title()
    assert visit.complaints == []


def test_no_page_calls_another_host_or_complains(open_browser: Open, served_cloud: Cloud) -> None:
    visit = open_browser("chen", language="zh")
    for path in ("/", "/?show=resolved", "/work", "/fleet", "/incidents/new"):
        visit.page.goto(path)
        visit.page.wait_for_timeout(200)
    open_incident(visit.page, "402")
    expect(visit.page.locator("[data-chart] canvas")).to_be_visible()
    assert visit.hosts == {served_cloud.base.split("/")[2]}
    assert visit.complaints == []


def test_fleet_shows_the_ledger_of_a_gateway(open_browser: Open) -> None:
    visit = open_browser("chen")
    page = visit.page
    page.goto("/fleet")
    row = page.locator("li[data-key=gw-b2]")
    expect(row).to_contain_text("Silent")
    expect(row).to_contain_text("Clone")
    row.get_by_role("button", name="Ledger").click()
    expect(page.locator("#ledger")).to_contain_text("Missing")
    page.keyboard.press("Escape")
    expect(page.locator("#ledger")).to_be_hidden()
    assert visit.complaints == []


def test_keyboard_focus_is_seen_everywhere(open_browser: Open) -> None:
    page = open_browser("chen").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(12):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert outline == "3px"


def test_theme_and_language_are_switched_and_kept(open_browser: Open) -> None:
    page = open_browser("chen", color_scheme="light").page
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.select_option("[data-theme-switch]", "dark")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != light
    with page.expect_navigation():
        page.select_option("[data-language]", "zh")
    expect(page.locator("h1")).to_contain_text("等待处理")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    with page.expect_navigation():
        page.select_option("[data-language]", "en")


@pytest.mark.parametrize("width", [360, 640])
def test_no_page_is_wider_than_a_narrow_window(open_browser: Open, width: int) -> None:
    """360 px is a small phone; 640 is a 1280 px screen at 200 % zoom."""
    page = open_browser("chen", width=width).page
    for path in ("/", "/?show=resolved", "/fleet", "/work", "/incidents/new"):
        page.goto(path)
        assert overflow(page) <= 0, path
    for text in ("402", "radiation", "canteen"):
        open_incident(page, text)
        assert overflow(page) <= 0, text
