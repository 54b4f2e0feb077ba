"""``bitformer boards``: every board of the catalog."""

from bitformer.boards.catalog import BOARDS
from bitformer.cli import boards as boards_command


def test_boards(bitformer):
    found = bitformer("boards", "--json").data["boards"]
    assert [board["name"] for board in found] == list(BOARDS)
    assert found[0]["resources"]["luts"] == 8000
    assert all(board in bitformer("boards").out for board in BOARDS)
    assert boards_command.command.name == "boards"
