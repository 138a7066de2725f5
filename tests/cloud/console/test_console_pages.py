"""Pages as the server makes them: what stands on them, for whom, and that nothing in them is alive."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from cloud.web.console import assets

Visit = Callable[..., TestClient]
PAGES = ("/", "/?show=resolved", "/work", "/fleet", "/incidents/new", "/sign-in")
BUDGET_BYTES = 60_000


class Tags(HTMLParser):
    """Names of the tags of a page, and those of their attributes that could run or dress something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []
        self.alive: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.alive.append(f"{tag} {name}={value}")
            if name in ("src", "href", "action"):
                self.addresses.append(value or "")
        if tag == "script" and "src" not in dict(attrs):
            self.alive.append("script without src")


def incident_paths(client: TestClient) -> list[str]:
    return re.findall(r'href="(/incidents/[0-9a-z]{8,})"', client.get("/").text)


def test_queue_says_what_waits_gravest_first(visit: Visit) -> None:
    page = visit("chen").get("/").text
    assert "5 incidents wait for somebody" in page
    order = [
        page.index(words) for words in ("Fire, 402室厨房", "Gas, Cold hall 3", "Lift stopped", "Water leak")
    ]
    assert order == sorted(order)
    assert page.index("Evacuation exercise") > order[-1]


def test_queue_keeps_maintenance_apart(visit: Visit) -> None:
    page = visit("chen").get("/").text
    assert page.index("Sensor stuck") > page.index('id="list-maintenance"') > page.index("Water leak")


def test_queue_shows_a_site_only_to_its_people(visit: Visit) -> None:
    page = visit("eng").get("/").text
    assert "Cold hall 3" in page
    assert "402室厨房" not in page
    foreign = visit("chen")
    hidden = next(path for path in incident_paths(foreign) if "402" in foreign.get(path).text)
    assert visit("eng").get(hidden).status_code == 404


def test_queue_filtered_by_a_foreign_site_is_empty_and_says_so(visit: Visit) -> None:
    page = visit("eng").get("/?site=street").text
    assert "No incident fits this filter" in page
    assert "row-title" not in page


def test_only_those_who_decide_get_the_buttons(visit: Visit) -> None:
    assert 'data-act="acknowledge"' in visit("chen").get("/").text
    assert 'data-act="acknowledge"' not in visit("wang").get("/").text


def test_incident_page_gives_evidence_in_words_in_both_languages(visit: Visit) -> None:
    english, chinese = visit("chen"), visit("chen", "zh")
    path = next(path for path in incident_paths(english) if "402" in english.get(path).text)
    assert "Smoke 412 ppm is above the limit of 300 ppm" in english.get(path).text
    assert "烟雾浓度 412 ppm，高于限值 300 ppm" in chinese.get(path).text
    assert "Severity raised from Severe to Extreme: a second device agrees" in english.get(path).text


def test_incident_page_tells_when_it_looked_like_this_and_gives_the_evidence(visit: Visit) -> None:
    english, chinese = visit("chen"), visit("chen", "zh")
    path = next(path for path in incident_paths(english) if "canteen/freezer" in english.get(path).text)
    page = english.get(path).text
    assert len(re.findall(r"data-moment=.\d{13}. ", page)) == 3
    told = r"The nearest to this was on \w+day \d+ \w+ at \d\d:\d\d: [\d.]+ times as far off as usual"
    assert re.search(told, page)
    assert re.search(r"此前最接近的是\d+月\d+日星期.", chinese.get(path).text)
    evidence = english.get(re.search(r'href="(/api/v1/alerts/\w+/evidence)"', page)[1]).json()
    assert len(evidence["moments"]) == 3


def test_pages_without_a_session_lead_to_sign_in(visit: Visit) -> None:
    for path in ("/", "/work", "/fleet", "/incidents/new", "/incidents/abc", "/work/abc"):
        answer = visit().get(path)
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in")


def test_unknown_page_and_incident_get_the_page_that_says_so(visit: Visit) -> None:
    for path in ("/nowhere", "/incidents/none", "/work/none"):
        answer = visit("chen", "zh").get(path)
        assert answer.status_code == 404
        assert "找不到" in answer.text and "<html" in answer.text


@pytest.mark.row("B17")
def test_markup_in_names_is_inert_on_every_page(visit: Visit) -> None:
    client = visit("chen")
    tasks = re.findall(
        r'href="(/work/[0-9a-z]{8,})"', "".join(client.get(p).text for p in incident_paths(client))
    )
    shown = ""
    for path in (*PAGES, *incident_paths(client), *sorted(set(tasks))):
        answer = client.get(path)
        tags = Tags(answer.text)
        assert "img" not in tags.names, path
        assert tags.alive == [], path
        shown += answer.text
    assert "&lt;script&gt;document.title" in shown


def test_pages_call_no_other_host_and_weigh_little(visit: Visit) -> None:
    client = visit("chen")
    for path in (*PAGES, *incident_paths(client)[:1]):
        page = client.get(path)
        addresses = Tags(page.text).addresses
        assert all(one.startswith(("/", "#")) and not one.startswith("//") for one in addresses), path
        parts = {one.split("#")[0] for one in addresses if one.startswith("/static/")}
        parts |= _imports(client, addresses)
        weight = sum(int(client.get(one).headers["content-length"]) for one in (path, *parts))
        assert weight <= BUDGET_BYTES, (path, weight)


def _imports(client: TestClient, addresses: list[str]) -> set[str]:
    """Modules that the page's modules import, and theirs."""
    found: set[str] = set()
    waiting = [one for one in addresses if one.endswith(".js") and one.startswith("/static/")]
    while waiting:
        text = client.get(waiting.pop()).text
        named = {
            f"/static/{name}" for name in re.findall(r'^(?:import|} from) .*"\./([a-z_]+\.js)"', text, re.M)
        }
        waiting += named - found
        found |= named
    return found


def test_a_file_that_did_not_change_is_not_sent_again(visit: Visit) -> None:
    client = visit()
    first = client.get("/static/style.css")
    assert (first.headers["content-encoding"], first.headers["cache-control"]) == ("gzip", "no-cache")
    assert first.headers["content-type"].startswith("text/css")
    again = client.get("/static/style.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = client.get("/static/style.css", headers={"Accept-Encoding": "identity"})
    assert plain.content == first.content


def test_vendor_serves_only_what_is_named(visit: Visit) -> None:
    client = visit()
    assert client.get("/vendor/uplot/package.json").status_code == 404
    assert client.get("/vendor/../pyproject.toml").status_code == 404
    if assets.NODE_MODULES.is_dir():
        assert client.get("/vendor/uplot/uPlot.iife.min.js").status_code == 200


def test_language_follows_cookie_then_account_then_browser(visit: Visit) -> None:
    assert "事件" in visit("chen", "zh").get("/").text
    fresh = visit("wang")
    fresh.cookies.delete("lm_language")
    assert 'lang="zh-CN"' in fresh.get("/work").text
    stranger = visit()
    stranger.cookies.delete("lm_language")
    assert 'lang="zh-CN"' in stranger.get("/sign-in", headers={"Accept-Language": "zh-CN,en;q=0.5"}).text
