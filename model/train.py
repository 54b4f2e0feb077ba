"""Training: floats first, then with rounding; saved after every epoch, and resumable.

Weights and scales are selected on validation windows. The selected models see the test windows
once, at the end.
"""

from collections.abc import Hashable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from bitformer.model.config import TransformerConfig
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import TrainingDivergedError, UserError
from bitformer.model.float_run import FloatStart
from bitformer.model.folder_lock import held
from bitformer.model.one_thread import one_thread
from bitformer.model.together import company, run_epoch
from bitformer.model.trainer import Trainer
from bitformer.model.training_run import Epochs, TrainingRun, TrainResult

__all__ = ["train", "train_together"]


def train(
    config: TransformerConfig,
    dataset: Dataset,
    *,
    run_dir,
    device: str | None = None,
    progress: bool | None = None,
    resume: bool = True,
    float_run=None,
    keep_scales: bool = False,
    start: FloatStart | None = None,
    hold: bool = True,
    **settings,
) -> TrainResult:
    """Train ``config`` on ``dataset``, keeping everything in ``run_dir``.

    A run that is asked for with more ``epochs`` or ``qat_epochs`` than it had goes on: what is
    unfinished is finished first as it was. From the best models so far, the learning rate falls
    once more along a half cosine, from half the peak; floats that went on are rounded anew. The
    models with the smallest validation error of all rounds are kept. That is not the same as a run
    with so many epochs from the start, but the same wherever it was interrupted.

    Parameters
    ----------
    config, dataset
        The model and its data, whose sizes must agree.
    run_dir
        Folder of the run. The same run in it is resumed, or read if it is finished.
    device
        A torch device; by default a GPU if there is one.
    progress
        Whether to draw a bar; None draws it on a terminal.
    resume
        False starts again, whatever ``run_dir`` holds.
    float_run
        Folder of a run of the same shape on the same data, whose float model this one takes over.
    keep_scales
        Take over the quantized model of ``float_run`` instead, which must have the same
        configuration, and columns of the same names. Its scales, zero points and norms stay;
        weights, biases and positions are trained. A device built from that model takes the new
        weights.
    start
        Weights from elsewhere, of the shape of ``config``, to round instead of training any.
    hold
        Whether to hold ``run_dir`` against other processes; False if a folder above is held.
    settings
        Fields of :class:`TrainSettings`. With ``float_run``, those of its float stage are its own;
        with ``start``, there is no such stage.

    Raises
    ------
    UserError
        The data do not fit the model, the training diverges, ``run_dir`` holds another run or is
        in use by another process, or ``float_run`` does not fit.
    """
    run = TrainingRun.of(
        config,
        dataset,
        run_dir=run_dir,
        device=device,
        resume=resume,
        float_run=float_run,
        keep_scales=keep_scales,
        start=start,
        settings=settings,
    )
    with held(run_dir) if hold else nullcontext(), one_thread():
        return _alone(run.carried_out(progress))


def train_together(
    config: TransformerConfig, dataset: Dataset, runs: Sequence[Mapping[str, Any]]
) -> list[TrainResult | TrainingDivergedError]:
    """Train several runs of one configuration on the same data; return the result of each.

    Their epochs are run together where they have the same settings but for the seed, as far as
    :func:`bitformer.model.together.company` says; results are those of :func:`train`, bit for bit.
    A run that diverges ends by itself, and its error is returned in its place.

    Parameters
    ----------
    config, dataset
        The models and their data, whose sizes must agree.
    runs
        For each run, the arguments of :func:`train` but ``progress`` and ``hold``: the caller holds
        the folders.

    Raises
    ------
    UserError
        As of :func:`train`, for the first run of which it is true, but for one that diverges.
    """
    asked = [TrainingRun.of(config, dataset, **_arguments(run)) for run in runs]
    with one_thread():
        return _side_by_side([run.carried_out(progress=False) for run in asked])


def _arguments(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a job by those of :func:`train`."""
    own = {"run_dir", "device", "resume", "float_run", "keep_scales"} & run.keys()
    settings = {name: value for name, value in run.items() if name not in own}
    return {**{name: run[name] for name in own}, "settings": settings}


def _alone(epochs: Epochs) -> TrainResult:
    """Run each epoch by itself."""
    try:
        trainer = next(epochs)
        while True:
            try:
                trainer.run_epoch()
            except UserError as error:
                trainer = epochs.throw(error)
            else:
                trainer = next(epochs)
    except StopIteration as end:
        return end.value


def _run_epoch(trainers: Sequence[Trainer]) -> list[TrainingDivergedError | None]:
    """Run an epoch of trainers, together if they are several; return how each diverged, or None."""
    if len(trainers) > 1:
        return run_epoch(trainers)
    try:
        trainers[0].run_epoch()
    except TrainingDivergedError as error:
        return [error]
    return [None]


def _side_by_side(runs: Sequence[Epochs]) -> list[TrainResult | TrainingDivergedError]:
    """Run the epochs of several runs, those that can go together in one; return their results."""
    found: dict[int, TrainResult | TrainingDivergedError] = {}
    waiting: dict[int, Trainer] = {}

    def go_on(number: int, error: TrainingDivergedError | None = None) -> None:
        run = runs[number]
        try:
            waiting[number] = next(run) if error is None else run.throw(error)
        except StopIteration as end:
            found[number] = end.value
        except TrainingDivergedError as error:
            found[number] = error

    for number in range(len(runs)):
        go_on(number)
    while waiting:
        companies: dict[Hashable, list[int]] = {}
        for number, trainer in waiting.items():
            kind = company(trainer)
            companies.setdefault(number if kind is None else kind, []).append(number)
        # who is behind goes first, so that others can join
        some = min(companies.values(), key=lambda some: waiting[some[0]].place)
        trainers = [waiting.pop(number) for number in some]
        for number, error in zip(some, _run_epoch(trainers), strict=True):
            go_on(number, error)
    return [found[number] for number in range(len(runs))]
