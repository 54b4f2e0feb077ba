"""Every block of commands in README and guides is accepted, and run here or marked with its needs.

Trainings are cut to an epoch each: that the commands work is tested, not what a model is worth.
"""

import re

import pytest
from docs_harness import NEEDS, PAGES, ROOT, RUN, SHOWN, Session, blocks, commands, parse
from needs import require

ALL = [block for page in PAGES for block in blocks(page)]
SHELL = [block for block in ALL if block.language == "sh"]
#: Pages whose blocks ask for what not every machine has.
PAGE_NEEDS = {"onnx.md": ("qonnx",), "streaming.md": ("etth1",), "lanes.md": ("yosys",)}
#: Commands that train or synthesize many times: no test of a page runs them.
LONG = {"demo", "search", "compare", "sensitivity", "profile"}
PAGES_RUN = [
    page for page in PAGES if any(b.language in RUN and b.needs is None for b in blocks(page))
]


@pytest.mark.parametrize("block", ALL, ids=lambda block: block.place)
def test_commands_are_accepted(block):
    assert block.language in RUN | SHOWN, "a fence must say its language"
    assert block.needs is None or block.needs in NEEDS
    if block.language != "sh":
        return
    for words in commands(block):
        if words[0] == "bitformer":
            parse(words[1:])
            assert block.needs is not None or words[1] not in LONG, f"{words[1]} takes minutes"
        elif words[0] == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.M)
        elif words[0] == "python" and words[1].endswith(".py"):
            assert (ROOT / words[1]).is_file()
        else:
            assert block.needs is not None, f"{words[0]} is not run: say what it needs"


def test_blocks_are_found():
    named = {words[1] for block in SHELL for words in commands(block) if words[0] == "bitformer"}
    assert named >= {"demo", "train", "simulate", "build", "search"}
    assert sum(block.needs is None for block in SHELL) >= 25


@pytest.mark.parametrize("needs", sorted(NEEDS))
def test_no_reason_is_left_over(needs):
    assert any(block.needs == needs for block in ALL)


def test_a_mark_belongs_to_a_block():
    for page in PAGES:
        marks = page.read_text(encoding="utf-8").count("<!-- needs: ")
        assert marks == sum(block.needs is not None for block in blocks(page)), page.name


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_RUN, ids=lambda page: page.name)
def test_blocks_run_in_order(page, tmp_path, monkeypatch):
    for name in PAGE_NEEDS.get(page.name, ()):
        require(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BITFORMER_KB", str(tmp_path / "kb.sqlite"))
    monkeypatch.setenv("VIVADO", "vivado-that-is-not-here")
    session = Session(folder=tmp_path)
    for block in blocks(page):
        if block.needs is None:
            session.run(block)


def test_what_fails_is_noticed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\nbitformer info tiny.safetensors\n```\n```sh\nbitformer info no.such\n```\n"
        "```sh\nbitformer train --no-such-option\n```\n```python\nassert False\n```\n"
    )
    good, missing, refused, wrong = blocks(page)
    session = Session(folder=tmp_path)
    session.run(good)
    with pytest.raises(AssertionError, match=r"no\.such"):
        session.run(missing)
    with pytest.raises(Exception, match="no-such-option"):
        test_commands_are_accepted(refused)
    with pytest.raises(AssertionError):
        session.run(wrong)
