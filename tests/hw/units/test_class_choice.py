# amaranth: UnusedElaboratable=no
"""The largest of a window's scores: ties, margins and ends of the range, at every rate."""

import inspect
import random

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.timing import CHOICE
from bitformer.hw.units import class_choice
from bitformer.hw.units.class_choice import ClassChoice

RATES = [0.3, 1.0]


class Wired(Component):
    """The unit with its streams as plain ports, which a script can be played to."""

    def __init__(self, dut):
        self._dut = dut
        super().__init__(
            {
                "i_payload": In(dut.i.payload.shape()),
                "i_valid": In(1),
                "i_ready": Out(1),
                "o_payload": Out(dut.o.payload.shape()),
                "o_valid": Out(1),
                "o_ready": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self._dut
        m.d.comb += [
            dut.i.payload.eq(self.i_payload),
            dut.i.valid.eq(self.i_valid),
            self.i_ready.eq(dut.i.ready),
            self.o_payload.eq(dut.o.payload),
            self.o_valid.eq(dut.o.valid),
            dut.o.ready.eq(self.o_ready),
        ]
        return m


def answers(streams, scores, *, classes, bits, margin=0, rates=(1.0, 1.0), seed=0, unit=None):
    """What the unit answers to windows' scores, one after another."""
    dut = unit or ClassChoice(classes=classes, bits=bits)
    hear, taken = streams.hear(dut.o, len(scores) // classes, rates[1], seed)

    async def bench(ctx):
        ctx.set(dut.i_margin, margin)
        await hear(ctx)

    streams.run(dut, bench, background=[streams.tell(dut.i, scores, rates[0], seed)])
    return taken


def random_scores(classes, bits, count, seed):
    """Scores at the ends of their range, near each other, equal, and anywhere."""
    chance = random.Random(seed)
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    scores = []
    for _ in range(count):
        middle = chance.randint(low, high)
        near = range(max(low, middle - 2), min(high, middle + 2) + 1)
        pool = chance.choice([[low, high], [low], [high], near, range(low, high + 1)])
        scores += [chance.choice(pool) for _ in range(classes)]
    return scores


@pytest.mark.parametrize(
    ("scores", "margin", "answer"),
    [
        ([3, 1, 2], 0, 0),
        ([1, 3, 2], 0, 1),
        ([1, 2, 3], 0, 2),
        # the lowest of equals, wherever they are, and whatever comes between
        ([5, 5, 5], 0, 0),
        ([1, 5, 5], 0, 1),
        ([5, 1, 5], 0, 0),
        # a margin of 1 rejects equals only, and no larger lead
        ([5, 5, 1], 1, 3),
        ([5, 4, 1], 1, 0),
        ([4, 5, 1], 1, 1),
        ([5, 1, 3], 2, 0),
        ([5, 1, 3], 3, 3),
        ([1, 3, 5], 3, 3),
        # the second stands before or behind the largest
        ([3, 7, 1], 5, 3),
        ([3, 7, 1], 4, 1),
        ([1, 7, 3], 5, 3),
        ([1, 7, 3], 4, 1),
        # the whole range lies between them
        ([-8, 7, -8], 15, 1),
        ([-8, 7, -7], 15, 3),
        ([7, -8, -8], 15, 0),
        ([-8, -8, -8], 0, 0),
        ([-8, -8, -8], 1, 3),
        ([-8, -8, -7], 1, 2),
    ],
)
def test_answers_by_hand(streams, scores, margin, answer):
    assert ClassChoice(classes=3, bits=4).model(scores, margin) == [answer]
    assert answers(streams, scores, classes=3, bits=4, margin=margin) == [answer]


def test_the_first_class_alone_has_no_second_from_the_window_before(streams):
    """What a window leaves behind decides nothing of the next."""
    scores = [7, 7, -8, -8, 7, -8]
    assert answers(streams, scores, classes=2, bits=4, margin=15) == [2, 2, 0]


@pytest.mark.parametrize("in_rate", RATES)
@pytest.mark.parametrize("out_rate", RATES)
@pytest.mark.parametrize(("classes", "bits"), [(2, 2), (2, 16), (3, 8), (5, 5), (256, 8)])
def test_streams_at_every_rate(streams, in_rate, out_rate, classes, bits):
    windows = 4 if classes > 100 else 40
    scores = random_scores(classes, bits, windows, seed=classes + bits)
    dut = ClassChoice(classes=classes, bits=bits)
    for margin in (0, 1, 2, (1 << bits) - 1):
        taken = answers(
            *(streams, scores),
            classes=classes,
            bits=bits,
            margin=margin,
            rates=(in_rate, out_rate),
            unit=ClassChoice(classes=classes, bits=bits),
        )
        assert taken == dut.model(scores, margin)
        assert len(taken) == windows


@settings(max_examples=25, deadline=None)
@given(
    classes=st.integers(2, 256),
    bits=st.integers(2, 16),
    data=st.data(),
)
def test_any_choice(streams, classes, bits, data):
    margin = data.draw(st.one_of(st.sampled_from([0, 1, 2, 3]), st.integers(0, (1 << bits) - 1)))
    seed = data.draw(st.integers(0, 999))
    scores = random_scores(classes, bits, 3, seed)
    dut = ClassChoice(classes=classes, bits=bits)
    expected = dut.model(scores, margin)
    rates = data.draw(st.sampled_from([(0.5, 0.5), (1.0, 0.1), (1.0, 1.0)]))
    found = answers(
        *(streams, scores), classes=classes, bits=bits, margin=margin, rates=rates, unit=dut
    )
    assert found == expected


def test_the_model_is_the_rule():
    """Against a search that says it another way: a lead over every other class."""
    dut, chance = ClassChoice(classes=4, bits=3), random.Random(1)
    for _ in range(500):
        scores = [chance.randint(-4, 3) for _ in range(4)]
        margin = chance.randint(0, 7)
        leaders = [
            n
            for n, score in enumerate(scores)
            if all(score > s for s in scores[:n])
            and all(score >= s for s in scores[n + 1 :])
            and all(score - s >= margin for k, s in enumerate(scores) if k != n)
        ]
        assert dut.model(scores, margin) == [leaders[0] if leaders else 4]


def test_latency_and_throughput(play):
    """Scores in every cycle; an answer stands ``CHOICE`` cycles after its last score was taken."""
    assert CHOICE == 2
    dut = ClassChoice(classes=3, bits=4)
    scores = [1, 2, 3, 3, 2, 1, 0, 7, 0]
    script = [{"i_payload": score, "i_valid": 1, "o_ready": 1} for score in scores]
    shown = play(Wired(dut), [*script, *[{"o_ready": 1}] * 4], ["i_ready", "o_valid", "o_payload"])
    assert all(ready for ready, _, _ in shown)
    found = {cycle: answer for cycle, (_, valid, answer) in enumerate(shown) if valid}
    assert found == {2 + CHOICE: 2, 5 + CHOICE: 0, 8 + CHOICE: 1}


def test_an_answer_waits_while_the_next_scores_come(play):
    """Back-pressure: a window's scores are taken beside an answer, and not one more."""
    dut = Wired(ClassChoice(classes=2, bits=4))
    script = [{"i_payload": n, "i_valid": 1} for n in range(8)]
    shown = play(dut, script, ["i_ready", "o_valid", "o_payload"])
    assert [ready for ready, _, _ in shown] == [1, 1, 1, 1, 0, 0, 0, 0]
    assert [(v, p) for _, v, p in shown[4:]] == [(1, 1)] * 4


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        # the highest of equals
        ("score > largest", "score >= largest"),
        # a second that forgets the largest before, one that the windows before leave behind
        ("Mux(first, -1 << bits - 1, largest)", "Mux(first, -1 << bits - 1, second)"),
        ("Mux(first, -1 << bits - 1, largest)", "largest"),
        # one that stands behind the largest is missed
        ("second.eq(score)", "second.eq(second)"),
        ("first | (score > largest)", "score > largest"),
        ("lead < self.i_margin", "lead <= self.i_margin"),
        ("lead = Signal(bits,", "lead = Signal(bits - 1,"),
        ("m.If(~self.o.valid)", "m.If(1)"),
        ("~(complete & self.o.valid)", "1"),
        ("complete.eq(0)\n", "complete.eq(complete)\n"),
    ],
)
def test_a_fault_is_found(streams, right, wrong):
    source = inspect.getsource(class_choice)
    assert source.count(right) == 1
    faulty = {"__name__": "faulty"}
    exec(compile(source.replace(right, wrong), "faulty.py", "exec"), faulty)
    scores = random_scores(3, 4, 60, seed=7)
    found = []
    for margin in (0, 1, 3, 9):
        good = answers(streams, scores, classes=3, bits=4, margin=margin, rates=(1.0, 0.3))
        assert good == ClassChoice(classes=3, bits=4).model(scores, margin)
        unit = faulty["ClassChoice"](classes=3, bits=4)
        try:
            other = answers(
                *(streams, scores), classes=3, bits=4, margin=margin, rates=(1.0, 0.3), unit=unit
            )
        except AssertionError:
            found.append(margin)
        else:
            found += [margin] * (other != good)
    assert found
