"""The site as a reader sees it: opened from a disk, narrow and wide, light and dark."""

import re

import pytest

pytestmark = pytest.mark.needs("mkdocs", "chromium")


@pytest.fixture
def opened(browser, site):
    """``opened(page, width, dark)``: a page of the site, what it said and what it asked for."""
    pages = []

    def go(name, width=1280, dark=False, query=""):
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        page.said, page.asked = [], []
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("console", lambda m: page.said.append(m.text) if m.type == "error" else None)
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto((site / name).as_uri() + query)
        pages.append(page)
        return page

    yield go
    for page in pages:
        page.close()


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("name", ["index.html", "how-it-works.html", "commands/train.html"])
def test_a_page_is_quiet_and_fits(opened, name, width):
    page = opened(name, width)
    page.wait_for_load_state("load")
    assert page.said == []
    assert page.asked
    assert [url for url in page.asked if not url.startswith(("file:", "blob:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_drawings_follow_the_page_from_light_to_dark(opened):
    colours = []
    for dark in (False, True):
        page = opened("how-it-works.html", dark=dark)
        ink = "getComputedStyle(document.querySelector('figure.drawing .bf-h')).fill"
        assert page.evaluate("document.querySelectorAll('figure.drawing svg title').length") >= 3
        colours.append(page.evaluate(ink))
    light, dark = (sum(map(int, re.findall(r"\d+", one)[:3])) for one in colours)
    assert light < 200
    assert dark > 600


def test_search_works_from_a_disk(opened):
    page = opened("index.html", query="?q=virtual+sensor")
    page.wait_for_selector(".md-search-result__link", state="attached", timeout=30_000)
    links = page.eval_on_selector_all(".md-search-result__link", "all => all.map(one => one.href)")
    assert any("sensing.html" in link for link in links)
