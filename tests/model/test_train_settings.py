"""Settings follow the number of training windows where they are not given."""

import pytest

from bitformer.model.errors import UserError
from bitformer.model.train_settings import TrainSettings


@pytest.mark.parametrize(
    ("windows", "batch", "epochs", "qat_epochs"),
    [
        (0, 16, 40, 20),
        (301, 16, 40, 20),
        (2047, 16, 40, 20),
        (4096, 64, 37, 19),
        (6133, 64, 25, 13),
        (8521, 128, 18, 9),
        (100_000, 128, 12, 8),
    ],
)
def test_few_windows_are_seen_more_often_in_smaller_batches(windows, batch, epochs, qat_epochs):
    found = TrainSettings().fitted(windows)
    assert (found.batch, found.epochs, found.qat_epochs) == (batch, epochs, qat_epochs)
    assert found.fitted(5) == found


def test_what_is_given_stays():
    given = {"batch": 7, "epochs": 2, "qat_epochs": 3, "patience": 4}
    found = TrainSettings(**given, seed=1).fitted(301)
    assert {name: getattr(found, name) for name in given} == given
    assert TrainSettings(epochs=5).fitted(301).qat_epochs == 20


@pytest.mark.parametrize("value", [-0.1, 1, float("nan")])
def test_an_average_forgets(value):
    with pytest.raises(UserError, match=r"^average must be at least 0 and below 1, not "):
        TrainSettings(average=value)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_distilled_is_a_share(value):
    with pytest.raises(UserError, match=r"^distill must be 0 to 1, not "):
        TrainSettings(distill=value)
