"""Quantities that no input holds: told for a window's last row, or some rows ahead of it."""

from collections.abc import Sequence

from bitformer.model.errors import UserError

__all__ = ["MOST_AHEAD", "check_ahead", "check_sensed", "not_an_input"]

#: The most rows from a window to its first target.
MOST_AHEAD = 65535


def check_ahead(
    ahead: int, horizon: int, target: str, inputs: Sequence[str], *, reconstructs: bool = False
) -> None:
    """Raise :class:`UserError` unless there is something to learn ``ahead`` rows after a window.

    ``reconstructs`` : whether a network may learn to tell a row that it sees, as a detector's may.
    """
    whole = isinstance(ahead, int) and not isinstance(ahead, bool)
    if not whole or not 0 <= ahead <= MOST_AHEAD:
        raise UserError(
            f"ahead must be 0 to {MOST_AHEAD} rows, not {ahead}: --ahead 1 is the row after the"
            " window, --ahead 0 the window's last row"
        )
    if ahead:
        return
    if target in inputs and not reconstructs:
        raise UserError(
            f"Inputs must not hold {target} where it is told for the window's last row (ahead 0):"
            f" they would give it away. Leave {target} out of --inputs, or forecast it with"
            " --ahead 1"
        )
    if horizon > 1:
        raise UserError(
            f"Horizon must be 1 where {target} is told for the window's last row (ahead 0), not"
            f" {horizon}: say --horizon 1, or forecast the rows after it with --ahead 1"
        )


def check_sensed(sense: str, target: str | None, inputs: Sequence[str]) -> None:
    """Raise :class:`UserError` where a column that is to be sensed is given, or is not the target.

    ``inputs`` : those that were asked for.
    """
    if target not in (None, sense):
        raise UserError(
            f"Target must be left out where {sense} is sensed, not be {target}: leave --target out"
        )
    if sense in inputs:
        raise UserError(
            f"Inputs must not hold {sense}, which is to be sensed from the others: leave it out of"
            f" --inputs, or forecast it with --target {sense} instead of --sense"
        )


def not_an_input(target: str, ahead: int) -> str:
    """Say what follows from a target that no device sees."""
    if ahead:
        return (
            f"Target {target} is not an input, so only the repeating baselines see it: the verdict"
            f" leaves them out. If the device has {target}, name it with --target and among"
            " --inputs"
        )
    return f"{target} is sensed from the inputs, for the time of a window's last row"
