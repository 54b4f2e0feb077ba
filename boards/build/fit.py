"""Whether a design fits a board, shell included."""

from typing import Any

from bitformer.boards.board import Board
from bitformer.hw.lowering.exact import estimate
from bitformer.hw.memory import StoreSpec
from bitformer.hw.parts import Use
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.errors import UserError

__all__ = ["TooLargeError", "check_fit"]


class TooLargeError(UserError):
    """The board's part has too little of something; ``memory`` is the shell's."""

    def __init__(self, board: Board, over: tuple[Use, ...], memory: StoreSpec):
        super().__init__(
            f"Design must fit {board.title} ({board.part}) together with the shell, and takes "
            + ", ".join(f"{use.used} {use.resource} of {use.available}" for use in over)
        )
        self.memory = memory


def check_fit(board: Board, shell: Any) -> None:
    """Raise `TooLargeError` if multipliers or memories of a design's shell are too many.

    These are exact. LUTs of logic are not known before synthesis: a design that passes may still be
    too large.
    """
    if not isinstance(shell.accelerator, Accelerator):
        return
    endpoint = shell.endpoint
    over = estimate(shell.accelerator.design, part=board.part, beside=endpoint.memories).over
    if over:
        raise TooLargeError(board, over, endpoint.memory)
