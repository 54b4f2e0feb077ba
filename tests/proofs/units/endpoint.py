"""The framed endpoint: whatever came before, a quiet line brings it back to listening."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Shape, Signal, Value
from proofs.question import Induction, Question, inside, past

from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.framed.endpoint import Endpoint
from bitformer.hw.parts import PARTS

__all__ = ["endpoint", "most_cycles"]

_INPUTS, _RESULTS, _VECTORS = 3, 2, 2
_MACHINES = ("receiver", "server", "sender")
#: Cycles of a byte on its way out: it is offered, the CRC takes its bits, the link takes it.
_BYTE = 10
#: Bytes of a header or a CRC from any place of their counter on, at most.
_STEPS = 8
#: Cycles until a byte of the memory is there, and of the states between two others.
_FETCH, _BETWEEN = 2, 4


def _counted(kind: str) -> int:
    """Return how many bytes the cursor counts at most, and one more: a power of two."""
    return 128 if kind == "reloadable" else 64


def _sends(kind: str) -> int:
    """Return the distance of a refusal's begin from listening."""
    return (_STEPS + _counted(kind) + _STEPS) * _BYTE + 12


def _round(kind: str) -> int:
    """Return how far a vector takes: its numbers in and out, and the comparison."""
    return 2 * (_counted(kind) + _FETCH) + 2


def _serves(kind: str) -> int:
    """Return the distance of a whole frame's command from listening."""
    return _sends(kind) + _VECTORS * _round(kind) + _BETWEEN + _FETCH


def most_cycles(kind: str) -> int:
    """Return the largest distance from listening that `endpoint` measures, in cycles."""
    return _serves(kind) + 10 + _sends(kind) + _BETWEEN


def _contract(kind: str) -> Contract:
    return Contract(
        inputs=_INPUTS,
        results=_RESULTS,
        vectors=tuple(((n,) * _INPUTS, (n,) * _RESULTS) for n in range(_VECTORS)),
        remembers=kind == "remembers",
        image=((4, 1),) if kind == "reloadable" else (),
        family=PARTS["ice40up5k" if kind == "pipelined" else "xc7s15"].family,
    )


def endpoint(kind: str) -> Question:
    """With a quiet line it comes nearer to listening every cycle, from each state it can be in.

    It stands still only where the link takes no byte, or the accelerator takes or gives no number.
    How near it is, is a number of cycles that its state gives; `most_cycles` is the largest. The
    invariants hold whatever comes: one machine has the turn, and vectors are tested from the first
    to the last.
    """
    m = Module()
    unit = Endpoint(
        contract=_contract(kind),
        input_shape=Shape(8, True),
        result_shape=Shape(12, True),
        clock_hz=1_000_000,
    )
    m.submodules.unit, named = inside(unit)
    x, link = named("x"), unit.link
    line = x.line
    machines = named("m")._generated
    names = [*_MACHINES, *(["weights"] if kind == "reloadable" else [])]

    def at(machine: str, state: str) -> Value:
        fsm = machines[machine]
        return fsm.state == fsm.encoding[state] if state in fsm.encoding else Const(0, 1)

    idle = {"receiver": "WAIT"}
    turns = sum((~at(name, idle.get(name, "IDLE")) for name in names), Const(0))
    unspoiled = Cat(at("receiver", name) for name in ("HEADER", "PAYLOAD", "CRC", "CHECK", "JUDGE"))
    bad = [machines[name].state >= len(machines[name].encoding) for name in names]
    bad += [
        turns != 1,
        (unspoiled.any() | at("server", "DISPATCH")) & (x.verdict != 0),
        ~at("server", "IDLE") & (x.verdict >= _VECTORS),
    ]

    distance = Signal(range(most_cycles(kind) + 1))
    far = sum(_distances(m, x, kind, at, machines), Mux(line.lost, _sends(kind) + _BETWEEN, 0))
    m.d.comb += distance.eq(far)
    before = past(m, distance, 1, known=True)
    quiet = link.quiet & ~link.rx.valid & ~link.rx_error
    speaks = ~at("sender", "IDLE")
    waits = speaks & line.tx_full & ~link.tx.ready & line.crc_idle
    waits |= at("server", "FEED") & ~unit.to_model.ready
    waits |= at("server", "COLLECT") & ~unit.from_model.valid
    nearer = (distance < before) | (distance == 0) | (past(m, waits, 1) & (distance == before))
    bad += [past(m, quiet, 1, known=True) & ~nearer, far > most_cycles(kind)]
    inputs = [link.rx.payload, link.rx.valid, link.rx_error, link.quiet, link.tx.ready, link.drop]
    inputs += [unit.to_model.ready, unit.from_model.payload, unit.from_model.valid]
    return Question(m, Cat(bad).any(), inputs, Induction(3))


def _distances(m: Module, x, kind: str, at, machines) -> list[Value]:
    """Return how many cycles each machine's state is from listening; 0 without the turn."""
    line, header, cursor = x.line, x.header, x.cursor
    most, sends, serves = _counted(kind), _sends(kind), _serves(kind)
    assert most == 1 << len(cursor.left)

    def steps(last: int) -> Value:
        """Return how often the header counts until it has done step ``last``."""
        left = Signal(3, name=f"steps_{last}")
        m.d.comb += left.eq(last - header.step)
        return left + 1

    def of(machine: str, distances: dict[str, Value | int]) -> Value:
        assert set(machines[machine].encoding) - set(distances) <= {"IDLE", "WAIT", "LISTEN"}
        return sum((Mux(at(machine, name), d, 0) for name, d in distances.items()), Const(0))

    bytes_left = Signal(len(cursor.left))
    m.d.comb += bytes_left.eq(cursor.left - 1)
    left = bytes_left + 1
    bits = Mux(line.crc_idle, 0, 8 - line._bits[:3])
    work = bits + line.tx_full
    check = _STEPS * _BYTE + 1
    going = past(m, cursor.place.given, 1, known=True)
    fetch = Mux(going, 2, past(m, going, 1, known=True)) if kind == "pipelined" else 0
    rounds = Array(Const(n * _round(kind), 12) for n in reversed(range(_VECTORS)))[x.verdict]
    again = Mux(header.command[0], rounds, 0) + sends
    feeds = again + most + _FETCH + 2
    distances: dict[str, dict[str, Value | int]] = {
        "sender": {
            "REFUSE": sends,
            "START": sends - 1,
            "HEADER": steps(6) * _BYTE + most * _BYTE + check + work,
            "PAYLOAD": left * _BYTE + check + work,
            "CRC": steps(3) * _BYTE + 1 + work,
            "LAST": 1 + work,
        },
        "server": {
            "DISPATCH": serves,
            "TRIAL": feeds + most + _BETWEEN,
            "FORGET": feeds + most + _BETWEEN,
            "RESTART": feeds + most + _BETWEEN - 1,
            "FEED": feeds + left + fetch,
            "COLLECT": again + left + fetch + 1,
            "COMPARE": again + 1,
            "AGAIN": sends + left + 1,
            "ANSWERED": sends + 1,
        },
        "receiver": {
            **dict.fromkeys(("HEADER", "PAYLOAD", "CRC"), sends + 2),
            "CHECK": serves + 2 + bits,
            "JUDGE": serves + 1,
            "DRAIN": sends + 1,
        },
    }
    if kind == "reloadable":
        distances["weights"] = {"TAKE": sends + left + 1, "ANSWER": sends + 1}
    return [of(machine, states) for machine, states in distances.items()]
