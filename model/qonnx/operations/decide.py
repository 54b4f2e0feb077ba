"""What ends a model: the class of the largest score, or a detector's flag."""

from onnx import TensorProto, helper

from bitformer.model.operations import Decide, Judge
from bitformer.model.operations.judge import JUDGED
from bitformer.model.qonnx.graph import Graph
from bitformer.model.qonnx.operations.form import Form
from bitformer.model.qonnx.steps import Steps

__all__ = ["DecideForm", "JudgeForm"]


class DecideForm(Form[Decide]):
    """The lowest number of the largest score, or «rejected» where it leads by too little."""

    says = ("x", "margin")

    def add(self) -> None:
        op, steps, scores = self.op, self.steps, self.integers(self.op.x)
        found = steps.add("ArgMax", scores, out="largest", axis=2, keepdims=1)
        if op.margin:
            two = [steps.named(name) for name in ("two", "two_places")]
            two = self.graph.add_all("TopK", scores, self.graph.numbers(2), outs=two, axis=2)
            first = steps.cut(two[0], 2, 0, 1, "first")
            lead = steps.add("Sub", first, steps.cut(two[0], 2, 1, 2, "second"), out="lead")
            near = steps.add("Less", lead, steps.constant("margin", op.margin), out="near")
            rejected = steps.constant("rejected", self.tensors[op.x].features)
            found = steps.add("Where", near, rejected, found, out="decided")
        self.store(self.carried(found))


class JudgeForm(Form[Judge]):
    """A Scan over windows, which are in the order of time from a reset on."""

    says = ("x", "smoothing", "threshold", "hold", "absolute", "weight")

    def add(self) -> None:
        op, steps, x = self.op, self.steps, self.tensors[self.op.x]
        came = steps.reshape(self.integers(JUDGED), x.size, out="came")
        expected = self.integers(op.x)
        if x.zero:
            zero = steps.constant("zero", x.zero)
            expected = steps.add("Sub", expected, zero, out="expected_moved")
        expected = steps.reshape(expected, x.size, out="expected")
        by, by_x = (
            steps.constant(f"finer{n}", 1 << s) for n, s in enumerate(op.shifts(self.tensors))
        )
        came = steps.add("Mul", came, by, out="came_scaled")
        expected = steps.add("Mul", expected, by_x, out="expected_scaled")
        residual = steps.add("Sub", came, expected, out="residual")
        steps.annotated(residual, op.residual_bound(self.tensors))
        if op.absolute:
            residual = steps.add("Abs", residual, out="magnitude")
        step = steps.constant("level_step", 1 << op.smoothing)
        aim = steps.add("Mul", residual, step, out="aim")
        starts = (
            steps.constant("level_at_reset", [0] * x.size),
            steps.constant("left_at_reset", [0]),
        )
        outs = [steps.named(n) for n in ("last_level", "last_left", "level", "score", "flag")]
        self.graph.add_all(
            "Scan", *starts, aim, outs=outs, num_scan_inputs=1, body=self._window(x.size)
        )
        flag = steps.reshape(outs[-1], 1, 1, out="flags")
        self.store(self.carried(flag))

    def _window(self, numbers: int):
        """Return what a window does: level, left and aim in; level, left and what it says out."""
        op, body = self.op, self.steps.named("window")
        graph = Graph(self.graph.opset, within=f"{body}/")
        steps = Steps(graph, body)
        level, left, aim = map(steps.named, ("level", "left", "aim"))
        apart = steps.add("Sub", aim, level, out="apart")
        way = steps.rounded_shift(apart, op.smoothing, "way")
        reached = steps.add("Add", level, way, out="reached")
        size = steps.add("Abs", reached, out="size")
        weighted = steps.add("Mul", size, steps.constant("weight", op.weight), out="weighted")
        score = steps.total(weighted, 0, "score")
        over = steps.add("Greater", score, steps.constant("threshold", op.threshold), out="over")
        still = steps.add("Greater", left, graph.numbers(0), out="still")
        up = steps.add("Or", over, still, out="up")
        flag = steps.add("Cast", up, out="flag", to=TensorProto.INT64)
        one_less = steps.add("Sub", left, graph.numbers(1), out="one_less")
        least = steps.add("Max", one_less, graph.numbers(0), out="one_less_or_0")
        hold = steps.constant("hold", [op.hold])
        now_left = steps.add("Where", over, hold, least, out="now_left")
        told = steps.add("Identity", reached, out="told")
        shapes = {level: numbers, left: 1, aim: numbers}
        ends = {reached: numbers, now_left: 1, told: numbers, score: 1, flag: 1}

        def infos(of):
            return [helper.make_tensor_value_info(n, TensorProto.INT64, [s]) for n, s in of.items()]

        return helper.make_graph(
            graph.nodes, "window", infos(shapes), infos(ends), initializer=graph.constants
        )
