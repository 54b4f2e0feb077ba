"""How the program ends when a command is interrupted or has a defect."""

import pytest


@pytest.mark.parametrize("name", ["boards", "train"])
def test_interrupted(name, bitformer, monkeypatch):
    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"bitformer.cli.{name}.command.callback", interrupt)
    said = bitformer(*{"boards": ["boards"], "train": ["train", "-o", "x"]}[name])
    assert (said.code, said.out, said.err.strip()) == (130, "", "Interrupted")


def test_a_defect_keeps_its_traceback(bitformer, monkeypatch):
    monkeypatch.setattr("bitformer.cli.boards.command.callback", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bitformer("boards")
