"""A configuration and its data in an ADC's words, for a training that asks for them."""

from collections.abc import Callable, Mapping
from typing import Any

from bitformer.model.adc_words import in_adc_words
from bitformer.model.config import TransformerConfig
from bitformer.model.data.targets import one_target
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError

__all__ = ["in_asked_words"]


def in_asked_words(
    config: TransformerConfig,
    dataset: Dataset,
    raw: int | None,
    settings: Mapping[str, Any],
    note: Callable[[str], None],
) -> tuple[TransformerConfig, Dataset]:
    """Return both in words of ``raw`` bits, or as they are where none are asked for.

    Parameters
    ----------
    config, dataset
        Which suit each other; a configuration may ask for words, too.
    raw
        Bits of a word, or None.
    settings
        Of the training: with kept scales, words are those of the run that it goes on from.
    note
        Told what the words hold.
    """
    if raw is None and config.adc_words:
        raw = config.input_bits
    if raw is None:
        return config, dataset
    if config.task == "classify":
        raise UserError(
            f"raw must be left out to classify, not be {raw}: an answer is a class's number, no"
            " word of an ADC's: leave --raw out"
        )
    one_target("raw", dataset.target_names)
    from bitformer.model.float_run import data_scales  # late: it imports torch

    run = settings.get("float_run") if settings.get("keep_scales") else None
    like = None if run is None else data_scales(run)
    config, dataset, sentences = in_adc_words(config, dataset, raw, like=like)
    for sentence in sentences:
        note(sentence)
    return config, dataset
