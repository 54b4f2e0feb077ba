"""Pages in the system's own browser: what it said, what it asked for, and what a chart shows."""

import shutil

import pytest
from needs import require

__all__ = ["Opened", "browser", "opened"]

#: A browser as root, which looks for nothing of its own on a network.
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window."""
    require("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=shutil.which("chromium"), args=list(_FLAGS))
        yield found
        found.close()


class Opened:
    """A page that is open: ``said`` are its errors and messages, ``asked`` what it requested."""

    def __init__(self, browser, path, *, width=1280, height=900, dark=False):
        self.page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.resolve().as_uri())
        self.page.wait_for_selector("html[data-ready]", state="attached")

    def chart(self, name, number=0):
        """The selector of a chart."""
        return f'[data-chart="{name}"][data-number="{number}"]'

    def marks(self, chart, marks, *fields):
        """The data of a chart's marks: a tuple of texts for each, or a text of a single field."""
        found = self.page.eval_on_selector_all(
            f"{chart} {marks}", "all => all.map(one => ({...one.dataset}))"
        )
        rows = [tuple(one.get(field) for field in fields) for one in found]
        return [row[0] for row in rows] if len(fields) == 1 else rows

    def series(self, chart):
        """The points of a chart of lines: by series, the places and the values."""
        found = {}
        for name, x, y in self.marks(chart, "[data-series]", "series", "x", "y"):
            found.setdefault(name, []).append((float(x), float(y)))
        return found

    def out(self, name):
        """A number that the panel of energy shows."""
        return float(self.page.locator(f'[data-out="{name}"]').get_attribute("data-value"))

    def slide(self, name, value):
        """Move a slider as a person does."""
        self.page.locator(f'input[name="{name}"]').evaluate(
            "(one, value) => { one.value = value;"
            " one.dispatchEvent(new Event('input', {bubbles: true})); }",
            str(value),
        )


@pytest.fixture
def opened(browser):
    """Opens a page; it must say nothing, and ask for nothing but itself."""
    pages = []

    def open_page(path, **options):
        pages.append(Opened(browser, path, **options))
        return pages[-1]

    yield open_page
    for one in pages:
        one.page.close()
    assert [one.said for one in pages] == [[] for _ in pages]
    assert all(len(one.asked) == 1 and one.asked[0].startswith("file:") for one in pages)
