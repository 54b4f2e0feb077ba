"""Names: what becomes files and modules, and what would lead elsewhere or is a word already."""

import pytest

from bitformer.model.config import NAMED_CONFIGS, TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.names import as_design_name, check_design_name, check_name

GOOD = ["a", "7", "tiny", "etth1-48-24-w2a8", "m-4.2a8.8", "A_b.c-9", "x" * 128, "module", "con1"]
#: Names that lead out of a folder, hide, cannot be typed or printed, or end a line of a report.
HOSTILE = [
    *("../../../escaped/x", "..", ".", "", "/tmp/x", "a/b", "a\\b", "c:x", "~", ".hidden"),
    *("a b", " a", "a ", "a.", "a-", "-a", "_a", "a\nb", "a\0b", "a\tb", "a'b", 'a"b', "$(x)"),
    *("größe", "ａ", "x" * 129, "a*", "a?", "<a>", "a|b", "a;b", "\x1b[31m"),
]
DEVICES = ["con", "NUL", "Aux", "prn", "com1", "LPT9", "nul.txt", "con.a.b"]


@pytest.mark.parametrize("name", [*GOOD, *NAMED_CONFIGS])
def test_names_of_files(name):
    assert check_name(name, "name") == name


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_lead_elsewhere(name):
    with pytest.raises(UserError, match=r"^name must be up to 128 letters, digits, '\.', '_' and"):
        check_name(name, "name")
    with pytest.raises(UserError, match=r"^name must be up to 128 letters, "):
        TransformerConfig(name=name, window=4, d_model=4, ffn=4)
    with pytest.raises(UserError, match=r"^Design name must be a letter, then letters, digits and"):
        check_design_name(name, "Design name")


@pytest.mark.parametrize("name", DEVICES)
def test_devices_of_windows(name):
    with pytest.raises(UserError, match=rf"^name must be no device of Windows, as {name} is$"):
        check_name(name, "name")


@pytest.mark.parametrize("name", [3, None, True, ["a"], b"a"])
def test_names_are_text(name):
    with pytest.raises(UserError, match=r"^name must be a string, not "):
        check_name(name, "name")
    with pytest.raises(UserError, match=r"^name must be a letter, then "):
        check_design_name(name, "name")


@pytest.mark.parametrize("name", ["top", "A", "m_7", "etth1_96_24", "x" * 64, "modules"])
def test_names_of_modules(name):
    assert check_design_name(name, "Design name") == as_design_name(name) == name


@pytest.mark.parametrize("name", ["1x", "a-b", "a.b", "x" * 65, "a$", "\\a "])
def test_no_names_of_modules(name):
    with pytest.raises(UserError, match=r"^Design name must be a letter, then .*, 64 at most, not"):
        check_design_name(name, "Design name")


@pytest.mark.parametrize(
    "word", ["module", "always_ff", "Module", "reg", "logic", "begin", "entity", "signal", "xnor"]
)
def test_words_of_the_languages(word):
    with pytest.raises(UserError, match=rf"^Design name must be no reserved word .*, as {word} is"):
        check_design_name(word, "Design name")
    assert as_design_name(word) == f"m_{word}"


@pytest.mark.parametrize("name", [*GOOD, *NAMED_CONFIGS, "con", "com1", "entity", "9-lives"])
def test_every_name_has_one_for_a_module(name):
    made = as_design_name(name)
    assert check_design_name(made, "Design name") == made
