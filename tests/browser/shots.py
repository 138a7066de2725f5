"""Pictures of every page for people to look at: three widths, light and dark, English and Chinese.

    python tests/browser/shots.py http://127.0.0.1:8080 artefacts [only]

`only` limits it to pictures whose name contains it. The cloud behind the address holds console_seed's state.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "cloud" / "console"))
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))  # or tests/models would be taken for models

from browser_rig import CHROMIUM, FLAGS, sign_in
from playwright.sync_api import Browser, Page, sync_playwright

WIDTHS = {"wide": (1440, 900), "middle": (768, 1024), "narrow": (360, 740)}
OPERATOR = ("queue", "resolved", "incident", "freezer", "odd", "fleet", "report", "missing")
WORKER = ("work", "task", "answer")


def address(page: Page, name: str) -> str:
    """Where a picture is taken; pages of one thing are reached through the list they stand in."""
    fixed = {"queue": "/", "resolved": "/?show=resolved", "fleet": "/fleet", "report": "/incidents/new",
             "missing": "/incidents/none", "work": "/work", "sign-in": "/sign-in"}  # fmt: skip
    if name in fixed:
        return fixed[name]
    lists = {
        "incident": ("/", "402"),
        "odd": ("/", "radiation"),
        "freezer": ("/", "canteen"),
        "task": ("/work", ""),
        "answer": ("/work", ""),
    }
    start, text = lists[name]
    page.goto(start)
    links = page.locator("a.row-title, ol[data-part=waiting] a.card").filter(has_text=text)
    found = links.last if name == "answer" else links.first
    return found.get_attribute("href") or start


def take(browser: Browser, base: str, folder: Path, only: str) -> None:
    for width, theme, language in itertools.product(WIDTHS, ("light", "dark"), ("en", "zh")):
        size = WIDTHS[width]
        wanted = {
            login: [name for name in names if only in f"{name}-{width}-{theme}-{language}"]
            for login, names in (("", ("sign-in",)), ("chen", OPERATOR), ("li", WORKER))
        }
        for login, names in wanted.items():
            if not names:
                continue
            context = browser.new_context(
                base_url=base,
                viewport={"width": size[0], "height": size[1]},
                color_scheme=theme,
                locale=language,
            )
            context.add_cookies([{"name": "lm_language", "value": language, "url": base}])
            page = context.new_page()
            if login:
                sign_in(page, login)
            for name in names:
                page.goto(address(page, name))
                if name in ("incident", "freezer", "odd"):
                    page.wait_for_timeout(900)
                page.wait_for_timeout(250)
                page.screenshot(path=folder / f"{name}-{width}-{theme}-{language}.png", full_page=True)
            context.close()


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        take(chromium, sys.argv[1], target, sys.argv[3] if len(sys.argv) > 3 else "")
        chromium.close()
