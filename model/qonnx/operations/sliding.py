"""Attention and differences of a stream, over windows: each token sees the newest ones alone."""

import numpy as np

from bitformer.model.operations import SlidingAttend, SlidingScores, SubtractPreceding
from bitformer.model.operations.sliding import within_reach
from bitformer.model.qonnx.operations.attention import AttendForm, ScoresForm
from bitformer.model.qonnx.operations.rows import SubtractLastForm

__all__ = ["SlidingAttendForm", "SlidingScoresForm", "SubtractPrecedingForm"]


class SlidingScoresForm(ScoresForm):
    """As scores, with a bias for each head and distance: ``bias`` has it for each row and key."""

    says = (*ScoresForm.says, "bias")
    op: SlidingScores

    def _biased(self, dot: str) -> str:
        op, rows = self.op, self.y.features
        distance = np.arange(rows)[:, None] - np.arange(rows)
        each = op.bias[:, np.clip(distance, 0, op.reach - 1)]  # [heads, rows, keys]
        bias = self.steps.constant("bias", each.swapaxes(0, 1).reshape(-1, rows))
        return self.steps.add("Add", dot, bias, out="biased")

    def _seen(self) -> np.ndarray:
        return self.op.visible(self.y.features)


class SlidingAttendForm(AttendForm):
    """As attention, of the newest keys alone."""

    says = (*AttendForm.says, "reach")
    op: SlidingAttend

    def _seen(self) -> np.ndarray:
        seen = within_reach(self.tensors[self.op.v].rows, self.op.reach)
        return np.repeat(seen, self.op.heads, axis=0)


class SubtractPrecedingForm(SubtractLastForm):
    """``x`` less the row before its patch; of the first patch, less its own last row."""

    says = (*SubtractLastForm.says, "patch")
    op: SubtractPreceding

    def _change(self, x: str) -> str:
        steps, spec, patch = self.steps, self.tensors[self.op.x], self.op.patch
        patches = spec.rows // patch
        apart = steps.reshape(x, patches, patch, spec.features, out="patches")
        last = steps.cut(apart, 2, patch - 1, patch, "last")
        places = steps.constant("preceding", np.maximum(np.arange(patches) - 1, 0))
        before = steps.pick(last, 1, places, "before")
        change = steps.add("Sub", apart, before, out="change_patches")
        return steps.reshape(change, *spec.shape, out="change")
