"""What is said of a cell that cannot be read."""

__all__ = ["UnreadableCellError"]


class UnreadableCellError(ValueError):
    """A cell that is not of the kind asked for.

    Parameters
    ----------
    row : its place in the column.
    """

    def __init__(self, row: int):
        super().__init__(f"row {row}")
        self.row = row
