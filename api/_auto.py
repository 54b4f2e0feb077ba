"""Choosing a configuration for data, before a training."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._models import Note
from bitformer.model.config import TransformerConfig
from bitformer.model.config_choice import AUTO
from bitformer.model.errors import UserError
from bitformer.model.torch_installed import require_torch

if TYPE_CHECKING:
    from bitformer.search.auto import Choice

__all__ = ["chosen_config", "keep_config"]


def chosen_config(
    data: str | None,
    config: str | TransformerConfig | None,
    folder: Path,
    *,
    part: str | None,
    sizes: dict[str, Any],
    kinds: dict[str, Any],
    source: dict[str, Any],
    settings: dict[str, Any],
    note: Note,
) -> "tuple[str | TransformerConfig | None, Choice | None]":
    """Return a configuration and how it was chosen; one that is named as it is, with None.

    Arguments are those of :func:`bitformer.search.auto.propose`, and ``settings`` of the training.
    """
    if config != AUTO:
        if part is not None:
            raise UserError(f"--part must be left out without --config auto, not be {part}")
        return config, None
    require_torch()
    from bitformer.hw.parts import DEFAULT_PART
    from bitformer.model.progress import progress_bar
    from bitformer.search.auto import propose

    with progress_bar(settings.get("progress")) as progress:
        choice = propose(
            data,
            part=part or DEFAULT_PART,
            folder=folder,
            sizes=sizes,
            kinds=kinds,
            seed=settings.get("seed") or 0,
            note=note,
            progress=progress,
            **source,
        )
    note(choice.sentence)
    return choice.config, choice


def keep_config(folder: Path, config: TransformerConfig, note: Note) -> None:
    """Write what was chosen beside its run, and say where."""
    from bitformer.search.auto import write_config

    note(f"Configuration: {write_config(folder, config)}, to be named with --config")
