"""The one exception that stands for a mistake of the user's."""


class UserError(ValueError):
    """A mistake of the user's: one sentence that says what must change; the command line exits with 2.

    Everything else that goes wrong is a defect of bitformer and keeps its traceback.
    """
