"""The exception that stands for a mistake of the user's."""


class UserError(ValueError):
    """A mistake of the user's, shown as one sentence that says what must change; exit code 2.

    Everything else that goes wrong is a defect of bitformer and keeps its traceback.
    """


class TooFewRowsError(UserError):
    """Rows are too few for a window and a horizon: shorter ones may do."""


class TrainingDivergedError(UserError):
    """Training left the numbers: a study notes it and goes on."""


class NotBitExactError(UserError):
    """The hardware came to another number than the integer model."""
