"""How good a model is on data, beside the baselines."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._answers import SIMULATED
from bitformer._engines import computed

if TYPE_CHECKING:
    from bitformer.model.evaluating import AnyEvaluation
    from bitformer.model.ir import IntegerModel
    from bitformer.model.progress import Progress

__all__ = ["scores_of"]


def scores_of(
    model: "IntegerModel",
    data: str | None,
    *,
    run: Path | None,
    columns: dict[str, Any],
    engine: str,
    samples: int | None,
    baselines: str,
    note: Callable[[str], None],
    progress: "Progress",
) -> "AnyEvaluation":
    """Score a model; see :meth:`bitformer.Model.evaluate`.

    ``run`` : the folder of its training. ``columns`` : of the data, and how they are read.
    """
    from bitformer.model.advice import Advice
    from bitformer.model.clipping import clipped, clipped_sentences, wider_options
    from bitformer.model.evaluating import evaluated
    from bitformer.model.meta import known
    from bitformer.model.own_data import some_of
    from bitformer.model.scored_data import is_own, scored_data
    from bitformer.model.trained_baselines import check_baselines, trained_baselines

    check_baselines(baselines)
    found = scored_data(model, data=data, **columns)
    own = is_own(model, found)
    for sentence in found.notes:
        note(sentence)
    trained = trained_baselines(
        baselines, found, macs=model.config.macs, run=run, note=note, progress=progress
    )
    if samples is None and engine == "python":
        samples = SIMULATED
    if samples is not None:
        index = some_of(model, samples, len(found.test))
        found = dataclasses.replace(found, test=found.test.take(index))
        trained = tuple(one.take(index) for one in trained)
    test = found.test
    judged = None if model.detector is None else test.y
    windows = (test.x, test.clock, judged)
    forecast = computed(model, windows, engine=engine, note=note, progress=progress)
    meta = known(model.meta)
    beyond = clipped(model, found.test.x, found, forecast=forecast, part="test")
    advice = Advice(
        config=model.config,
        dataset=found,
        settings=meta.get("settings", {}) if own else {},
        float_error=meta.get("results", {}).get("float_test") if own else None,
        wider=tuple(wider_options([one for one in beyond if one.many], found)),
    )
    for sentence in clipped_sentences(beyond, found):
        note(sentence)
    scores = evaluated(
        model,
        found,
        {f"{model.config.name} ({engine})": forecast},
        advice=advice,
        intervals=meta.get("intervals", ()),
        trained=trained,
    )
    return dataclasses.replace(scores, clipped=beyond)
