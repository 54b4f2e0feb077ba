"""What to try when a model loses to a baseline, in the options of ``bitformer train``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bitformer.model.config import TransformerConfig
from bitformer.model.data.clock import numbers_of
from bitformer.model.data.parts import rows_needed
from bitformer.model.data.windows import Dataset
from bitformer.model.structure import tensor_components, weight_components
from bitformer.model.verdict import NOTHING

__all__ = ["Advice"]

#: What has another result in another folder, as it changes what the run is.
_ANEW = "and a new -o"
#: The part of a stage's epochs that are its last: a best one among them might not be the best yet.
_LAST = 1 / 3


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What is known of a training; called with a baseline's error, it returns what to try.

    Parameters
    ----------
    config, dataset : what was trained on what.
    settings : ``epochs`` and ``qat_epochs``, where they are known.
    float_error : test MSE of the model without rounding, if it is known.
    history : of the run, if it is known: stage, epoch and val of each epoch.
    wider : options with which no values would be clipped that are.
    """

    config: TransformerConfig
    dataset: Dataset
    settings: Mapping[str, Any]
    float_error: float | None = None
    history: Sequence[Mapping[str, Any]] = ()
    wider: tuple[str, ...] = ()

    def __call__(self, baseline_error: float) -> tuple[str, ...]:
        """Return options, the most promising first, for a model that loses to that error."""
        floats_do = (
            self.float_error is not None and self.float_error < (1 + NOTHING) * baseline_error
        )
        clipped = [f"{' '.join(self.wider)} {_ANEW}"] if self.wider else []
        return (*clipped, *(self._rounding() if floats_do else self._model()))

    def _rounding(self) -> list[str]:
        """Return remedies where the integer model loses, but the float one does not."""
        found = self._longer("qat_epochs", "qat")
        for option, bits in (("--weights", self._weights), ("--activations", self._activations)):
            if bits < 8:
                found.append(f"{option} 8 {_ANEW}")
        if self._activations == 8:
            found.append(f"--activations 16 {_ANEW}")
        config = self.config
        if config.linear_path and config.weight_bits("path") < 16:
            also = " --delta 16" if config.subtract_last else ""
            found.append(f"--path 16{also} {_ANEW}")
        return found

    def _model(self) -> list[str]:
        """Return remedies where rounding is not what costs it."""
        found = self._longer("epochs", "float")
        config, dataset = self.config, self.dataset
        timed = dataset.step is not None and config.task != "classify" and not config.stream
        if timed and dataset.step is not None and dataset.step.dated and config.input_bits >= 6:
            names = [] if config.calendar else numbers_of(dataset.step)
            found += [f"--calendar {','.join(names)} {_ANEW}"] if names else []
        longer = 2 * config.window
        if dataset.period and config.window < dataset.period:
            longer = -(-dataset.period // config.patch) * config.patch
        rows = len(dataset.train.target)
        seen = longer * config.rows_seen // config.window
        if 2 * rows_needed(seen, config.horizon) <= rows:
            found.append(f"--window {longer} {_ANEW}")
        if len(dataset.inputs) == 1:
            found.append(f"--inputs all {_ANEW}, if there are other columns")
        return found

    def _longer(self, setting: str, stage: str) -> list[str]:
        """Return twice the epochs of a stage, unless it was at its best long before its end."""
        epochs = self.settings.get(setting)
        if not isinstance(epochs, int):
            return []
        stages = [one["stage"] for one in self.history if one["stage"].split()[0] == stage]
        errors = [one["val"] for one in self.history if one["stage"] in stages[-1:]]
        if errors:
            since = len(errors) - 1 - errors.index(min(errors))
            if since > len(errors) * _LAST:
                return []
        return [f"--{setting.replace('_', '-')} {2 * epochs}"]

    @property
    def _weights(self) -> int:
        return min(self.config.weight_bits(layer) for layer in weight_components(self.config))

    @property
    def _activations(self) -> int:
        return min(self.config.tensor_bits(name) for name in tensor_components(self.config))
