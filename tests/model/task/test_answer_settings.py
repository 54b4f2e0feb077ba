"""What is set of an answer is refused of a model whose task has no such answer."""

import pytest

from bitformer.model.errors import UserError
from bitformer.model.task.answer_settings import check_answer


@pytest.mark.parametrize(
    ("task", "given"),
    [
        ("forecast", {}),
        ("forecast", {"reject": 0.0, "smoothing": None, "factor": None, "hold": None}),
        ("classify", {"reject": 0.5}),
        ("detect", {"smoothing": 0, "factor": 0.5, "hold": 0}),
        ("detect", {"smoothing": 15, "hold": 65535, "reject": 0}),
    ],
)
def test_of_its_own_task(task, given):
    check_answer(task, **given)


@pytest.mark.parametrize(
    ("task", "given", "message"),
    [
        ("detect", {"reject": 0.1}, r"^reject must be left out to detect, as it is of a class"),
        ("classify", {"hold": 0}, r"^hold must be left out to classify, as it is of a detector"),
        ("forecast", {"smoothing": 0}, r"0: leave --smoothing out, or say --task detect$"),
        ("forecast", {"factor": 1.0}, r"not be 1.0: leave --factor out, or say --task detect$"),
        ("classify", {"reject": 1.0}, r"^reject must be a share of windows from 0 to below 1, not"),
        ("detect", {"smoothing": 16}, r"^smoothing must be a whole number from 0 to 15, not 16$"),
        ("detect", {"smoothing": True}, r"^smoothing must be a whole number .*, not True$"),
        ("detect", {"hold": 65536}, r"^hold must be a whole number from 0 to 65535, not 65536$"),
        ("detect", {"hold": 1.5}, r"^hold must be a whole number from 0 to 65535, not 1.5$"),
        ("detect", {"factor": 0}, r"^factor must be a positive number, not 0$"),
    ],
)
def test_mistakes(task, given, message):
    with pytest.raises(UserError, match=message):
        check_answer(task, **given)
