"""The state of a training run and the steps that change it."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn

from bitformer.model.augmented_windows import Drawn, augmented_windows
from bitformer.model.calibrate import MovingRanges, calibrate
from bitformer.model.data.windows import Dataset, Windows
from bitformer.model.distillation import forecasts, teacher_forecasts, teacher_of
from bitformer.model.errors import TrainingDivergedError
from bitformer.model.health import ailments
from bitformer.model.intervals import ForecastInterval, intervals_of, measured
from bitformer.model.line import become_line
from bitformer.model.optimizer import make_optimizer
from bitformer.model.sensor_range import asked_ranges
from bitformer.model.stages import Budget, TrainingStage, raised, stages, without_training
from bitformer.model.task import task_for
from bitformer.model.task.losses import loss_of
from bitformer.model.torch_predict import errors, predict
from bitformer.model.train_settings import TrainSettings
from bitformer.model.transformer import Transformer
from bitformer.model.weight_average import WeightAverage
from bitformer.model.window_tensors import WindowTensors, some_windows

__all__ = ["Trainer", "shapes"]


def _error(model: Transformer, windows: Windows) -> float:
    return task_for(model.config).error(predict(model, windows.x, windows.clock), windows)


def _tensors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in state.items()}


def shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor, by its name."""
    return {name: tuple(value.shape) for name, value in state.items()}


class Trainer:
    """The state of a run and the steps that change it.

    ``weights``, if given, are those of a trained float model; the run starts after its first stage.
    ``kept``, if given too, is the state of a quantized model to go on from, whose scales and norms
    do not change. ``earlier`` : what epochs the run had before it was given those of ``settings``.
    """

    def __init__(
        self,
        config,
        dataset: Dataset,
        settings: TrainSettings,
        device: torch.device,
        weights: Mapping[str, Tensor] | None = None,
        kept: Mapping[str, Tensor] | None = None,
        earlier: Sequence[Budget] = (),
    ):
        self.kept = kept
        self.config, self.settings, self.dataset, self.device = config, settings, dataset, device
        self.x = WindowTensors.inputs(dataset.train, device)
        self.y = WindowTensors.targets(dataset.train, device)
        self.clock = torch.tensor(dataset.train.clock, device=device)
        self.augmented = augmented_windows(settings.augment, dataset, device)
        self.task = task_for(config)
        weighed = self.task.class_weights(dataset, settings.class_weights)
        self.class_weights: Tensor | None = None
        if weighed is not None:
            self.class_weights = torch.tensor(weighed, dtype=torch.float32, device=device)
        self.stages = stages(config, settings, earlier)
        self.stage_index, self.epoch, self.idle = 0, 0, 0
        self.best_error = self.float_error = math.inf
        self.float_best: dict[str, Tensor] = {}
        self.teacher: Transformer | None = None  # the float model
        self.taught: Tensor | None = None  # its forecasts of the training windows as they are
        # the quantized model of an earlier round, and its error
        self.quantized_best: dict[str, Tensor] = {}
        self.quantized_error = math.inf
        self.history: list[dict] = []
        self.seconds = 0.0
        self.least = math.inf  # the smallest error of the stage's own epochs, for patience
        self.begin()
        self.best = _tensors(self.model.state_dict())
        if config.linear_path and weights is None and self.task.gives_target:
            self.judge_line()
        if weights is not None:
            first = 1 + sum(one.anew for one in self.stages)
            others = [one for one in self.stages[first:] if kept is None or one.final]
            self.stages = (without_training(self.stages[0]), *others)
            self.model.load_state_dict({**self.best, **weights})
            self.average = WeightAverage(self.model, settings.average)
            self.validate(0, loss=None)

    @property
    def stage(self) -> TrainingStage:
        return self.stages[self.stage_index]

    def enter(self, state: Mapping[str, Tensor] | None = None) -> None:
        """Make a model of the stage's widths and its optimizer, initial or from ``state``."""
        settings, stage = self.settings, self.stage
        with self.randomness(settings.seed):
            config = raised(self.config, stage.floor)
            self.model = Transformer(config, dropout=stage.dropout).to(self.device)
        if state is not None:
            self.model.load_state_dict(state)
        self.moving = MovingRanges(self.model)
        free = stage.quantized and self.kept is None
        self.learns_scales = free and settings.ranges == "learned"
        self.observes = free and settings.ranges != "learned"
        if stage.quantized and self.kept is not None:
            for norm in self.model.norms.values():
                norm.requires_grad_(False)
        self.optimizer = make_optimizer(
            self.model, settings, stage, learns_scales=self.learns_scales
        )
        self.average = WeightAverage(self.model, settings.average)
        self.teacher = self.taught = None
        if stage.quantized and settings.distill:
            with self.randomness(settings.seed):
                self.teacher = teacher_of(self.config, self.float_best, self.device)
            if self.augmented is None:
                self.taught = teacher_forecasts(self.teacher, self.x, self.clock)

    def begin(self) -> None:
        """Make a model with the initial weights."""
        self.enter()
        if self.config.adc_words:
            some = some_windows(self.dataset.train).to(self.device)
            self.model.center(self.x[some], self.y[some])

    def judge_line(self) -> None:
        """Validate the linear forecast: it is kept unless the network gets better than that.

        Training begins elsewhere: from there it does not get as far.
        """
        own = _tensors(self.model.state_dict())
        become_line(self.model, self.dataset)
        self.judge(0, loss=None)
        self.least = math.inf  # the network begins elsewhere, and may take long to get there
        self.model.load_state_dict(own)

    @contextmanager
    def randomness(self, seed: int) -> Iterator[None]:
        """Seed torch's random numbers; the caller's go on as before."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield

    @property
    def place(self) -> tuple[int, int]:
        """How far the run is: numbers of the stage and of its epoch."""
        return self.stage_index, self.epoch

    @property
    def stage_over(self) -> bool:
        patience = self.settings.patience
        return self.epoch >= self.stage.epochs or (patience is not None and self.idle >= patience)

    @property
    def finished(self) -> bool:
        return self.stage_over and self.stage_index == len(self.stages) - 1

    @property
    def epoch_seed(self) -> int:
        """The seed of the next epoch's random numbers."""
        return self.settings.seed * 1_000_003 + self.stage_index * 1009 + self.epoch + 1

    def batches(self, generator: torch.Generator | None = None) -> Sequence[Tensor]:
        """Return the indices of batches, which depend on seed, stage and epoch alone."""
        order = torch.randperm(len(self.x), generator=generator).to(self.device)
        return order.split(self.settings.batch)

    def run_epoch(self) -> None:
        """Train on all training windows once, then validate."""
        started = time.monotonic()
        observed = self.observes and self.settings.ranges == "moving-average"
        total = torch.zeros((), device=self.device)
        with self.randomness(self.epoch_seed), self.moving if observed else nullcontext():
            self.model.train()
            for step, batch in enumerate(self.batches()):
                total += self.step(step, batch) * len(batch)
        self.end_epoch(float(total) / len(self.x))
        self.seconds += time.monotonic() - started

    def end_epoch(self, loss: float) -> None:
        """Validate after an epoch of such a loss."""
        self.validate(self.epoch + 1, loss)
        self.epoch += 1

    def set_rate(self, step: int) -> None:
        """Set the learning rates for a step of the epoch."""
        steps = -(-len(self.x) // self.settings.batch)
        done = (self.epoch + step / steps) / self.stage.epochs
        warm = min(1.0, (self.epoch * steps + step + 1) / 100)
        rate = self.stage.lr * 0.5 * (1 + math.cos(math.pi * done)) * warm
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]

    def step(self, step: int, batch: Tensor) -> Tensor:
        """Change the weights once and return the loss before."""
        self.set_rate(step)
        if self.observes:
            self.follow_weights()
        drawn = self.draw(batch)
        loss = self.loss(self.model(drawn.x, clock=drawn.clock), drawn)
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if not math.isfinite(float(loss.detach() + norm)):
            raise self.diverged()
        self.optimizer.step()
        self.average.follow(self.model)
        return loss.detach()

    def draw(self, batch: Tensor, generator: torch.Generator | None = None) -> Drawn:
        """Return the windows of a batch, changed if that is asked for, and what is to be met."""
        clock = self.clock[batch]
        if self.augmented is None:
            taught = None if self.taught is None else self.taught[batch]
            return Drawn(self.x[batch], self.y[batch], clock, taught)
        x, y = self.augmented.drawn(batch, generator)
        taught = None if self.teacher is None else forecasts(self.teacher, x, clock)
        return Drawn(x, y, clock, taught)

    def loss(self, outputs: Tensor, drawn: Drawn) -> Tensor:
        """Return what a step makes smaller, of outputs [n, outputs] for windows."""
        rest = self.settings.distill, self.class_weights
        return loss_of(self.config.task, outputs, drawn.y, drawn.taught, *rest)

    def follow_weights(self) -> None:
        """Set observed scales by the present weights."""
        for linear in self.model.linears.values():
            linear.calibrate(self.settings.ranges)

    def diverged(self) -> TrainingDivergedError:
        name = self.stage.setting
        asked = getattr(self.settings, name)  # the stage's own peak may be a part of it
        return TrainingDivergedError(
            f"Training diverged in epoch {self.epoch + 1} of stage {self.stage.name}: try {name}"
            f" below {self.stage.lr if asked is None else asked:g}, and look for extreme values in"
            " the data"
        )

    def validate(self, epoch: int, loss: float | None) -> None:
        """Record the epoch; keep the average of its weights if it is the best of its stage."""
        with self.average.on(self.model):
            if self.observes:
                self.follow_weights()
            self.judge(epoch, loss)

    def judge(self, epoch: int, loss: float | None) -> None:
        """Record the model as it is; keep it if it is the best of its stage."""
        error = _error(self.model, self.dataset.val)
        if not math.isfinite(error):
            raise self.diverged()
        rate = None if loss is None else self.optimizer.param_groups[0]["lr"]
        self.history.append(
            {"stage": self.stage.name, "epoch": epoch, "loss": loss, "val": error, "lr": rate}
        )
        self.idle += 1
        if error < self.least:
            self.least, self.idle = error, 0
        if error < self.best_error:
            self.best, self.best_error = _tensors(self.model.state_dict()), error

    def next_stage(self) -> None:
        """Make the next stage's model, from the best of this stage or of its own kind."""
        started = time.monotonic()
        if not self.stage.quantized:
            self.float_best, self.float_error = self.best, self.best_error
        elif self.stage.final:
            self.quantized_best, self.quantized_error = self.best, self.best_error
        following = self.stages[self.stage_index + 1]
        if following.again:
            self.go_on()
        elif following.anew:
            self.start_anew()
        else:
            self.round_on()
        self.seconds += time.monotonic() - started

    def go_on(self) -> None:
        """Enter the next stage with the best model of its kind, which is to be improved."""
        self.stage_index += 1
        self.epoch, self.idle = 0, 0
        if self.stage.quantized:
            self.best, self.best_error = self.quantized_best, self.quantized_error
        else:
            self.best, self.best_error = self.float_best, self.float_error
        self.least = self.best_error
        self.enter(self.best)
        self.model.quantized = self.stage.quantized

    def start_anew(self) -> None:
        """Enter the next stage with the initial weights; the best model so far stays the best."""
        self.stage_index += 1
        self.epoch, self.idle, self.least = 0, 0, math.inf
        self.begin()

    def round_on(self) -> None:
        """Enter the next stage with the best model of this one, at the next widths."""
        before = self.model
        before.load_state_dict(self.best)
        known = before if self.stage.quantized else None
        self.stage_index += 1
        self.epoch, self.idle, self.best_error, self.least = 0, 0, math.inf, math.inf
        self.enter(before.state_dict())
        if self.kept is None:
            some = some_windows(self.dataset.train).to(self.device)
            calibrate(
                self.model,
                self.x[some],
                self.y[some],
                clock=self.clock[some],
                ranges=self.settings.ranges,
                known=known,
                asked=asked_ranges(self.dataset),
            )
        else:
            self.model.load_state_dict(self.kept)
            self.model.quantized = True
        self.average = WeightAverage(self.model, self.settings.average)
        self.validate(0, loss=None)
        if self.stage.final and self.quantized_error < self.best_error:
            self.best, self.best_error = self.quantized_best, self.quantized_error

    def state_dict(self) -> dict[str, object]:
        return {
            "stage": self.stage_index,
            "epoch": self.epoch,
            "idle": self.idle,
            "model": _tensors(self.model.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "moving": self.moving.state_dict(),
            "average": self.average.state_dict(),
            "best": self.best,
            "best_error": self.best_error,
            "least": self.least,
            "float_best": self.float_best,
            "float_error": self.float_error,
            "quantized_best": self.quantized_best,
            "quantized_error": self.quantized_error,
            "history": self.history,
        }

    def load_state_dict(self, state: dict) -> None:
        self.stage_index, self.epoch, self.idle = state["stage"], state["epoch"], state["idle"]
        self.float_best, self.float_error = state["float_best"], state["float_error"]
        self.enter(state["model"])
        self.model.quantized = self.stage.quantized
        self.optimizer.load_state_dict(state["optimizer"])
        self.moving.load_state_dict(state["moving"])
        self.average.load_state_dict(state["average"])
        self.best, self.best_error = state["best"], state["best_error"]
        self.least = state.get("least", self.best_error)
        self.quantized_best = state.get("quantized_best", {})
        self.quantized_error = state.get("quantized_error", math.inf)
        self.history = state["history"]
        own = shapes(self.model.state_dict())
        others = (self.float_best if self.stage_index else {}, self.quantized_best)
        for kept in (self.best, *(one for one in others if one)):
            if shapes(kept) != own:
                raise ValueError("A state must hold models of one shape, not of several")

    def results(self) -> dict[str, float]:
        """Return the errors of both selected models; leave the quantized one in ``model``."""
        self.model.load_state_dict(self.float_best)
        self.model.quantized = False
        float_test = _error(self.model, self.dataset.test)
        self.model.load_state_dict(self.best)
        self.model.quantized = True
        return {
            "float_val": self.float_error,
            "float_test": float_test,
            "quantized_val": self.best_error,
            "quantized_test": _error(self.model, self.dataset.test),
        }

    def intervals(self) -> tuple[ForecastInterval, ...]:
        """Return the intervals of the quantized model that :meth:`results` leaves.

        Of a classifier, there are none.
        """
        if not self.task.gives_target:
            return ()
        val, test = (
            errors(self.model, windows, self.dataset.target_scales)
            for windows in (self.dataset.val, self.dataset.test)
        )
        return measured(intervals_of(val), test)

    def warnings(self) -> list[str]:
        """Return what is wrong with the quantized model that :meth:`results` leaves."""
        return ailments(self.model, self.x, self.clock)
