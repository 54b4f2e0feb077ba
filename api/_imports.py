"""Trained models from elsewhere, rounded on data: a module of torch's, or a folder of weights."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._models import Model, Note, unheard
from bitformer._training import Training
from bitformer.model.data.name_lists import split_texts
from bitformer.model.data.reading import without_reading
from bitformer.model.errors import UserError
from bitformer.model.torch_installed import require_torch

if TYPE_CHECKING:
    from bitformer.model.imports.imported import Imported, Scales

__all__ = ["from_files", "from_torch"]


def from_torch(
    module: Any,
    data: str,
    *,
    window: int | None = None,
    patch_stride: int = 0,
    channels: int | None = None,
    channel: int | None = None,
    call: Callable[[Any, Any], Any] | None = None,
    scaling: "Scales" = "data",
    target: str | Sequence[str] | None = None,
    inputs: str | Sequence[str] | None = None,
    to: str | Path = "runs/imported",
    note: Note = unheard,
    **settings: Any,
) -> Model:
    """Round a trained module of torch's on data, and return the integer model.

    The module is a ``torch.nn.TransformerEncoder`` between two linear layers, or a PatchTST of
    Hugging Face. What it computes is found in it, and proved: its forecasts of random windows must
    be those of what was found.

    Parameters
    ----------
    module
        In ``eval()``, with float32 weights.
    data
        A data set's name or a CSV file. Its training rows calibrate, and fine-tune with rounding.
    window
        Steps of a window; a PatchTST says it itself.
    patch_stride
        Steps from one patch to the next, where they overlap; 0: as many as a patch has.
    channels
        Columns of a window, where ``inputs`` does not say how many.
    channel
        Of a PatchTST with an embedding for each channel, the number of the one that is meant.
    call
        How windows [N, window, inputs] become forecasts [N, horizon] or [N, horizon, targets], or
        scores of classes [N, classes]: ``call(module, windows)``; by default ``module(windows)``.
    scaling
        What it was trained on: ``"data"``, values standardised by the mean and the deviation of the
        training rows; ``"none"``, values in the file's units; or means and deviations by column,
        ``{"power": (17.2, 9.1)}``.
    target, inputs, to, note
        As of :func:`bitformer.train`.
    **settings
        ``method="ptq"`` to round alone; bits of ``weights`` and ``activations``, ``precise``;
        ``name``; ``label`` and others of a classifier's data; and whatever else
        :func:`bitformer.train` takes, but for what a training without rounding has.

    Raises
    ------
    UserError
        For a module that is no such model, or that the hardware has no unit for; and as
        :func:`bitformer.train` does.
    """
    require_torch("An import")
    from bitformer.model.imports.module import from_module
    from bitformer.model.own_data import asked_task

    source = {**without_reading(settings)[0], "target": target, "task": settings.get("task")}
    targets = 1 if target is None else _count(target)
    task = asked_task(data, source)
    if window is None:
        window = getattr(getattr(module, "config", None), "context_length", None)
    if window is None:
        raise UserError("window must be given, the steps that the module sees: window=96")
    if channels is None:
        if inputs == "all" or (inputs is None and task == "classify"):
            raise UserError(
                "channels must be given, how many columns the module sees, where inputs names none"
            )
        channels = targets if inputs is None else _count(inputs)
    found = from_module(
        module,
        window=window,
        inputs=channels,
        patch_stride=patch_stride,
        task=task,
        targets=targets,
        channel=channel,
        call=call,
    )
    return _integers(found, data, scaling, target, inputs, to, note, settings)


def from_files(
    path: str | Path,
    data: str,
    *,
    channel: int | None = None,
    scaling: "Scales" = "data",
    target: str | Sequence[str] | None = None,
    inputs: str | Sequence[str] | None = None,
    to: str | Path = "runs/imported",
    note: Note = unheard,
    **settings: Any,
) -> Model:
    """Round a trained model in a folder on data, and return the integer model.

    Parameters
    ----------
    path
        A folder with ``model.safetensors`` and ``config.json``, as ``save_pretrained`` of Hugging
        Face's PatchTST writes it; or one with weights of a ``torch.nn.TransformerEncoder``, whose
        ``config.json`` has the fields of :class:`bitformer.model.imports.encoder.EncoderFields`.
    data, channel, scaling, target, inputs, to, note, **settings
        As of :func:`from_torch`.

    Raises
    ------
    UserError
        For files that are no such model, or one that the hardware has no unit for; and as
        :func:`bitformer.train` does.
    """
    require_torch("An import")
    from bitformer.model.imports.files import from_files as read

    found = read(path, channel=channel)
    return _integers(found, data, scaling, target, inputs, to, note, settings)


def _count(names: str | Sequence[str]) -> int:
    """Return how many columns are named: by a text, its list."""
    return len(split_texts(names) if isinstance(names, str) else names)


def _integers(
    found: "Imported",
    data: str,
    scaling: "Scales",
    target: str | Sequence[str] | None,
    inputs: str | Sequence[str] | None,
    to: str | Path,
    note: Note,
    settings: dict[str, Any],
) -> Model:
    asked: dict[str, Any] = {"target": target, "inputs": inputs, "to": to, "note": note}
    training = Training.of_import(found, data, scaling=scaling, **asked, **settings)
    if training.model is None:
        raise UserError(f"bits of {found.config.name} must be those of integers, not of floats")
    return training.model
