"""Commands of many trainings: what they are given reaches each, and what is done is read again."""

import pytest

SMALL = ["--data", "synthetic", "--config", "tiny", "--epochs", "1", "--qat-epochs", "1"]
SMALL += ["--batch", "512", "--workers", "1", "--json"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One for both commands: they share the float model."""
    return tmp_path_factory.mktemp("studies")


def test_compare(bitformer, folder):
    args = ["compare", *SMALL, "--widths", "3,2", "--method", "ptq", "--seeds", "2", "-o", folder]
    said = bitformer(*args)
    assert said.code == 0
    assert [(row["bits"], row["method"]) for row in said.data["rows"]] == [
        (None, "float"),
        (3, "ptq"),
        (2, "ptq"),
    ]
    assert (said.data["data"], said.data["seeds"]) == ("synthetic", 2)
    settings = [one["settings"] for one in said.data["trials"]]
    assert {one["seed"] for one in settings} == {0, 1}
    assert all((one["epochs"], one["batch"]) == (1, 512) for one in settings)
    assert bitformer(*args).data == said.data


def test_sensitivity(bitformer, folder, tmp_path):
    picture = tmp_path / "picture.svg"
    args = ["sensitivity", *SMALL, "--widths", "4,2", "--plot", picture, "-o", folder]
    said = bitformer(*args)
    assert said.code == 0
    assert (said.data["method"], said.data["seeds"], said.data["low_bits"]) == ("ptq", 1, 2)
    alone = said.data["alone"]
    assert alone.keys() == said.data["spared"].keys() > {"MHA", "FFN"}
    assert all(errors.keys() == {"4", "2"} for errors in alone.values())
    assert picture.read_text().startswith("<?xml")


@pytest.mark.parametrize("command", ["compare", "sensitivity"])
@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ("4,two", "--widths must be numbers such as 8,4,2, or 4p for powers of two, not '4,two'"),
        ("4,2,4", "--widths must name each number once, not '4,2,4'"),
    ],
)
def test_widths_refused(bitformer, folder, command, widths, message):
    said = bitformer(command, *SMALL, "--widths", widths, "-o", folder)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
