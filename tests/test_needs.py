"""What is missing skips a test for a user, and fails it in CI."""

import re
from pathlib import Path

import needs
import pytest

CI = Path(__file__).parents[1] / ".ci" / "run"
CONFTEST = Path(__file__).with_name("conftest.py")


@pytest.fixture
def gone(monkeypatch):
    """Two needs, one of which is missing."""
    monkeypatch.setattr(needs, "NEEDS", {"there": lambda: None, "gone": lambda: "no such tool"})
    needs._missing.cache_clear()
    yield
    needs._missing.cache_clear()


def test_what_is_there_is_required_in_vain(gone, monkeypatch):
    monkeypatch.setenv(needs.MUST_HAVE, "gone there")
    needs.require("there")


@pytest.mark.parametrize("must", [None, "", "there", "gone-too"])
def test_what_is_missing_skips(gone, monkeypatch, must):
    monkeypatch.delenv(needs.MUST_HAVE, raising=False)
    if must is not None:
        monkeypatch.setenv(needs.MUST_HAVE, must)
    # the rule itself is tested: nothing is skipped here
    with pytest.raises(pytest.skip.Exception, match=r"^no such tool$"):
        needs.require("gone")


def test_what_is_missing_fails_where_it_must_be(gone, monkeypatch):
    monkeypatch.setenv(needs.MUST_HAVE, "there gone")
    with pytest.raises(
        pytest.fail.Exception, match=r"MUST_HAVE has 'gone', which is missing: no such tool"
    ):
        needs.require("gone")


def test_names_are_checked():
    with pytest.raises(pytest.fail.Exception, match=r"must need one of .*yosys.*, not 'yossy'"):
        needs.require("yossy")


def test_a_mark_skips_before_fixtures_are_set_up(gone, request):
    (plugin,) = (
        plugin
        for plugin in request.config.pluginmanager.get_plugins()
        if getattr(plugin, "__file__", None) == str(CONFTEST)
    )
    hook = plugin.pytest_runtest_setup
    assert hook.pytest_impl["tryfirst"]
    request.node.add_marker(pytest.mark.needs("there"))
    hook(request.node)
    request.node.add_marker(pytest.mark.needs("there", "gone"))
    # the rule itself is tested: nothing is skipped here
    with pytest.raises(pytest.skip.Exception, match=r"^no such tool$"):
        hook(request.node)


def test_ci_must_have_all_but_tcl_and_an_extra():
    """Which Python CI runs is not the project's choice, and not every one was built with Tcl.

    `make` does not install LightGBM: few need what takes 150 MB with all that it needs.
    """
    named = re.findall(rf'{needs.MUST_HAVE}="([^"]*)"', CI.read_text())
    assert named
    words = {word for value in named for word in value.split() if not word.startswith("$")}
    assert words == needs.NEEDS.keys() - {"tcl", "lightgbm", "scikit-learn"}
