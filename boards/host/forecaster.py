"""Forecasts from a board: scale, send, read, unscale, for the model that is on it and no other."""

from typing import Any

import numpy as np

from bitformer.boards.host.client import Client, LinkError
from bitformer.model.identity import model_hash
from bitformer.model.progress import Progress, silent

__all__ = ["Forecaster"]


class Forecaster:
    """A model on a board.

    Parameters
    ----------
    client : Client
    model : IntegerModel
        The one that the board was built from; it knows the scales.

    Raises
    ------
    LinkError
        If the board has another model.
    """

    def __init__(self, client: Client, model: Any):
        self._client, self._model = client, model
        there, here = client.read().model_hash, model_hash(model)
        if there != here:
            raise LinkError(
                f"Model on the board must be this one ({here.hex()}), and is {there.hex()}"
            )

    def predict(self, x, *, progress: Progress = silent) -> np.ndarray:
        """Standardised forecasts [N, horizon] of standardised float windows [N, steps, channels].

        The integers that travel are those of the integer reference. Raises `LinkError` if the board
        did not serve this client alone, or has another model by the end.
        """
        windows = self._model.words(self._model.quantize_input(x))
        results = np.empty((len(windows), self._model.output.size), dtype=np.int64)
        for number, window in enumerate(windows):
            results[number] = self._client.infer(window.ravel().tolist())
            progress(number + 1, len(windows), "forecasting")
        self._client.confirm()
        return self._model.dequantize_output(self._model.numbers(results))
