"""A worker with a phone: accepts, arrives, answers; loses the network in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser_rig import Cloud, Visit
from playwright.sync_api import Page, expect
from sqlalchemy import select

from cloud.dispatch.tables import OutcomeRow
from cloud.storage.engine import reading

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]
Open = Callable[..., Visit]


def open_task(page: Page, text: str) -> None:
    page.goto("/work")
    page.locator("a.card").filter(has_text=text).first.click()
    page.wait_for_url("**/work/*")


def outcomes(cloud: Cloud) -> list[OutcomeRow]:
    with reading(cloud.main) as session:
        return list(session.scalars(select(OutcomeRow).order_by(OutcomeRow.id)))


def is_narrow_enough(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_worker_accepts_arrives_and_answers_at_360_px(open_browser: Open, served_cloud: Cloud) -> None:
    visit = open_browser("li", width=360)
    page = visit.page
    page.wait_for_url("**/work")
    open_task(page, "Boiler room")
    assert is_narrow_enough(page)
    accept = page.get_by_role("button", name="Accept")
    box = accept.bounding_box()
    assert box and box["height"] >= 44 and box["width"] >= 200
    accept.click()
    page.get_by_role("button", name="I am there").click()
    expect(page.locator("[data-part=act]")).not_to_contain_text("I am there")
    page.get_by_text("Sensor fault").click()
    page.fill("[name=note]", "Contact corroded")
    page.fill("[name=measured_value]", "0,4")
    page.fill("[name=measured_unit]", "mm")
    assert is_narrow_enough(page)
    page.get_by_role("button", name="Send the answer").click()
    expect(page.locator("[data-part=found]")).to_contain_text("Sensor fault")
    stored = outcomes(served_cloud)[-1]
    assert (stored.verdict, stored.note, stored.measured_value) == ("sensor_fault", "Contact corroded", 0.4)
    assert page.evaluate("JSON.parse(localStorage.getItem('lm.outbox'))") == []
    assert visit.complaints == []


def test_answer_without_network_is_kept_and_sent_once_later(open_browser: Open, served_cloud: Cloud) -> None:
    page = open_browser("li", width=360).page
    open_task(page, "402")
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("button", name="I am there")).to_be_visible()
    before = len(outcomes(served_cloud))
    page.context.set_offline(True)
    page.get_by_text("No access").click()
    page.get_by_role("button", name="Send the answer").click()
    expect(page.locator("p[data-pending]")).to_contain_text("Offline")
    kept = page.evaluate("JSON.parse(localStorage.getItem('lm.outbox'))")
    assert [one["step"] for one in kept] == ["outcome"]
    assert len(outcomes(served_cloud)) == before
    page.context.set_offline(False)
    expect(page.locator("[data-part=found]")).to_contain_text("No access")
    expect(page.locator("p[data-pending]")).to_be_hidden()
    assert [row.key for row in outcomes(served_cloud)[before:]] == [kept[0]["body"]["key"]]


def test_answer_whose_receipt_was_lost_is_stored_once(open_browser: Open, served_cloud: Cloud) -> None:
    """The server stores it, the answer never arrives, the page sends it again with the same key."""
    page = open_browser("wang", width=360).page
    open_task(page, "radiation")
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("button", name="I am there")).to_be_visible()
    before = len(outcomes(served_cloud))

    def lose_the_receipt(route: object) -> None:
        route.fetch()
        route.abort()

    page.route("**/outcome", lose_the_receipt)
    page.get_by_text("Real", exact=True).click()
    page.get_by_role("button", name="Send the answer").click()
    expect(page.locator("p[data-pending]")).to_be_visible()
    page.unroute("**/outcome")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("p[data-pending]")).to_be_hidden()
    assert len(outcomes(served_cloud)) == before + 1


def test_task_of_another_cannot_be_acted_on_and_says_whose_it_is(open_browser: Open) -> None:
    operator = open_browser("chen").page
    operator.locator("a.row-title").filter(has_text="canteen").first.click()
    link = operator.get_by_role("link", name="Open the task")
    path = link.get_attribute("href")
    page = open_browser("anne", width=360).page
    page.goto(path or "")
    expect(page.locator("[data-part=act]")).to_contain_text("This task is with")
    expect(page.locator("[data-step], [data-answer]")).to_have_count(0)
