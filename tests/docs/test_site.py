"""The site: strict about links, complete about commands, and quiet towards networks."""

import importlib.util
import re

import click
import pytest
from docs_harness import ROOT
from site_harness import built

import bitformer
from bitformer.cli.main import COMMANDS, cli

pytestmark = pytest.mark.needs("mkdocs")


def hook(name):
    """A module of ``site/``, as MkDocs loads it."""
    spec = importlib.util.spec_from_file_location(f"hook_{name}", ROOT / "site" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", COMMANDS)
def test_page_of_a_command_has_all_of_its_options(name):
    text = hook("commands").page(name)
    command = cli.get_command(click.Context(cli), name)
    shown = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    assert shown
    for parameter in shown:
        assert re.search(rf"<code>.*{re.escape(parameter.opts[-1])}\b", text), parameter.opts
    assert "\b" not in text


def test_overview_lists_every_command():
    text = hook("commands").overview()
    assert set(re.findall(r"^\| \[`(\w+)`\]\(\1\.md\)", text, re.M)) == set(COMMANDS)


def test_api_page_has_every_public_name():
    text = (ROOT / "docs" / "api.md").read_text()
    members = re.search(r"members: \[(.*?)\]", text)[1].split(", ")
    classes = re.findall(r"^::: bitformer\.(\w+)$", text, re.M)
    assert sorted((*members, *classes, "__version__")) == sorted(bitformer.__all__)


def test_links_out_of_the_pages_lead_to_pages():
    sources = hook("sources")
    found = sources.OUTSIDE.findall("[a](../examples/a.py) [b](data.md#x) [c](../../x.py#y)")
    assert found == [("examples/a.py", ""), ("x.py", "#y")]
    assert "```python\nimport bitformer" in sources.shown("examples/tour.ipynb")
    assert "](docs/" not in sources.shown("CHANGELOG.md")


def test_a_drawing_has_a_text_and_no_colours_of_its_own():
    found = 0
    for path in sorted((ROOT / "docs" / "pictures").glob("*.svg")):
        text = hook("sources").drawing(f"pictures/{path.name}", "what it shows")
        if not text:  # a plot, with a paper of its own
            assert "--bf-" not in path.read_text()
            continue
        found += 1
        assert '<figure class="drawing" markdown="0" aria-label="what it shows">' in text
        assert "<title>" in text
        assert "\n" not in text  # Markdown must not take it for paragraphs
        body = text.split("</style>")[1]
        assert not re.search(r'(fill|stroke)="#', body), path.name
    assert found >= 6


def test_site_is_built_and_asks_no_network(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 60
    for path in pages:
        loaded = re.findall(
            r"<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=\"(https?:[^\"]+)", path.read_text()
        )
        assert loaded == [], path


@pytest.mark.parametrize(
    "links",
    [("no-such.md", "data.md#no-such-heading", "/data.md"), ("../no/such.py",)],
    ids=["pages", "a file"],
)
def test_dead_links_are_noticed(copy, links, tmp_path):
    page = copy / "docs" / "files.md"
    text = page.read_text()
    page.write_text("\n\n".join((text, *(f"[x]({link})" for link in links))))
    done = built(copy, tmp_path / "site")
    page.write_text(text)
    assert done.returncode != 0
    for link in links:
        assert link.removeprefix("../") in done.stderr, link
