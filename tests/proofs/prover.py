"""Asks Yosys' SAT solver a question, and reads what it says."""

import os
import re
from dataclasses import dataclass

from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from proofs.question import Induction, Proof, Question

from bitformer.synth.yosys import find_tool, run_yosys

__all__ = ["Answer", "Judgement", "ask", "judge"]

#: Seconds after which the solver gives up.
PATIENCE = 300
#: What the solver must end with for each way of asking.
_PROVED = {"reach": "no model found: SUCCESS!", "induction": "Induction step proven: SUCCESS!"}
_RESET = re.compile(r"^ *wire [^\n]*input \d+ +\\rst$", re.MULTILINE)
_REFUSED = ("model found: FAIL!", "proof failed", "SAT temporal induction proof finished - model")


@dataclass(frozen=True)
class Answer:
    """What came of a question: proved, refused, or neither in time; and the processor's seconds."""

    proved: bool
    refused: bool
    seconds: float
    said: str


@dataclass(frozen=True)
class Judgement:
    """A proof's answer and its mutant's."""

    proof: Proof
    unit: Answer
    mutant: Answer

    @property
    def holds(self) -> bool:
        """Whether the unit is proved and the mutant refused."""
        return self.unit.proved and self.mutant.refused


def ask(question: Question) -> Answer:
    """Return what the solver says."""
    text = _circuit(question)
    tool, script = find_tool(), _script(question, has_reset=_RESET.search(text) is not None)
    before = os.times()
    said = run_yosys(tool, script, {"top.il": text}, "answer.txt")
    after = os.times()
    seconds = after.children_user + after.children_system
    seconds -= before.children_user + before.children_system
    last = "\n".join(line for line in said.splitlines() if line.strip())[-2000:]
    kind = "induction" if isinstance(question.method, Induction) else "reach"
    proved = _PROVED[kind] in said
    refused = not proved and any(re.search(re.escape(end), said) for end in _REFUSED)
    if "SAT proof finished - model found: FAIL!" in said:
        refused = True
    return Answer(proved, refused and "timed out" not in said.lower(), seconds, last)


def judge(proof: Proof) -> Judgement:
    """Prove a property of its unit, and have its mutant refused."""
    return Judgement(proof, ask(proof.question()), ask(proof.mutant_question()))


def _circuit(question: Question) -> str:
    """Return the question's circuit as RTLIL."""
    top = Module()
    bad, given = Signal(name="bad"), Signal(name="given")
    top.submodules.question = question.module
    top.d.comb += [bad.eq(question.bad), given.eq(1 if question.given is None else question.given)]
    ports = [*question.inputs, bad, given]
    return rtlil.convert(top, ports=ports, name="top", emit_src=False, platform=question.platform)


def _script(question: Question, *, has_reset: bool) -> str:
    """Return what Yosys is to do."""
    method, read = question.method, "read_rtlil top.il"
    if question.cells:
        read += f"\nread_verilog {question.cells}"
    options = [f"-timeout {PATIENCE}", "-prove bad 0", "-set given 1"]
    free = ""
    if isinstance(method, Induction):
        options.append(f"-tempinduct -maxsteps {method.most}")
    elif method.steps:
        options.append(f"-seq {method.steps + 1}")
        if not method.from_reset:
            options.append(f"-prove-skip {method.steps}")
            free = "setattr -unset init w:*\n"
    if has_reset and not question.resets:
        options.append("-set rst 0")
    return (
        f"{read}\nhierarchy -top top\nproc\nflatten\nmemory_map\nopt -full\n{free}"
        f"tee -o answer.txt sat {' '.join(options)}\n"
    )
