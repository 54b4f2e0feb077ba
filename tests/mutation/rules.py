"""What a mutator changes: places in Python's text, found by its syntax tree."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Place", "places"]

_OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.FloorDiv: ast.Mult,
    ast.Mult: ast.Add,
}
_COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
#: Calls whose first argument is a width.
_WIDTHS = ("signed", "unsigned", "Signal", "range")


@dataclass(frozen=True)
class Place:
    """A change of a file: ``start`` and ``end`` are places in its text.

    ``was`` and ``becomes`` are the lines that hold it, before and behind the change.
    """

    file: str
    line: int
    column: int
    rule: str
    start: int
    end: int
    before: str
    after: str
    was: str
    becomes: str

    @property
    def key(self) -> str:
        """A name that stays while the line does."""
        return f"{self.file}:{self.line}:{self.column}:{self.rule}:{self.before}->{self.after}"

    def changed(self, text: str) -> str:
        """Return the text with the change."""
        return text[: self.start] + self.after + text[self.end :]


def places(file: str, text: str) -> list[Place]:
    """Return all changes of a file, in order; none in documentation, types and messages."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line.encode()))
    raw = text.encode()
    found = []
    for node, rule, new in _changes(ast.parse(text)):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        before = raw[begin:end].decode()
        after = new if isinstance(new, str) else f"({ast.unparse(new)})"
        # places in the text, which is no longer bytes
        here = len(raw[:begin].decode())
        there = here + len(before)
        first, last = text.rfind("\n", 0, here) + 1, (text + "\n").index("\n", there)
        found.append(
            Place(
                file=file,
                line=node.lineno,
                column=here - first,
                rule=rule,
                start=here,
                end=there,
                before=before,
                after=after,
                was=_one_line(text[first:last]),
                becomes=_one_line(text[first:here] + after + text[there:last]),
            )
        )
    return sorted(found, key=lambda place: (place.start, place.rule, place.after))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _changes(tree: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str, ast.expr | str]]:
    """Yield the node, the rule and what stands in its place."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise | ast.AnnAssign | ast.Assert | ast.JoinedStr):
            skipped |= set(ast.walk(node))
        for name in ("annotation", "returns"):
            if (value := getattr(node, name, None)) is not None:
                skipped |= set(ast.walk(value))
    for node in ast.walk(tree):
        if node not in skipped:
            yield from _of(node)


def _of(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str, ast.expr | str]]:
    """Yield the changes of one node."""
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        new = copy.copy(node)
        new.op = _OPERATORS[type(node.op)]()
        yield node, "operator", new
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        for step in (1, -1):
            if node.value + step >= 0:
                yield node, "constant", str(node.value + step)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert | ast.USub | ast.Not):
        yield node, "negation", node.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARISONS:
        new = copy.copy(node)
        new.ops = [_COMPARISONS[type(node.ops[0])]()]
        yield node, "comparison", new
    elif isinstance(node, ast.BoolOp):
        new = copy.copy(node)
        new.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        yield node, "and-or", new
    elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and _drives(node.target):
        yield node, "assignment", "pass"
    elif isinstance(node, ast.keyword) and node.arg == "reset_less":
        if isinstance(node.value, ast.Constant):
            yield node.value, "reset", str(not node.value.value)
    elif isinstance(node, ast.Call):
        yield from _of_call(node)


def _of_call(node: ast.Call) -> Iterator[tuple[ast.expr, str, ast.expr | str]]:
    """Yield the changes of a call: a multiplexer, a width, a delay."""
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    if name == "Mux" and len(node.args) == 3:
        new = copy.copy(node)
        new.args = [node.args[0], node.args[2], node.args[1]]
        yield node, "mux", new
    elif name in _WIDTHS and len(node.args) == 1 and not isinstance(node.args[0], ast.Constant):
        if not (name == "Signal" and isinstance(node.args[0], ast.Call)):
            new = copy.copy(node)
            new.args = [ast.BinOp(node.args[0], ast.Sub(), ast.Constant(1))]
            yield node, "width", new
    elif name == "delay" and len(node.args) == 3:
        for operator in (ast.Add(), ast.Sub()):
            new = copy.copy(node)
            new.args = [*node.args[:2], ast.BinOp(node.args[2], operator, ast.Constant(1))]
            yield node, "delay", new
    elif name == "as_signed" and isinstance(node.func, ast.Attribute):
        yield node, "sign", node.func.value


def _drives(target: ast.expr) -> bool:
    """Return whether something is a module's domain, to which assignments are added."""
    return "m.d" in ast.unparse(target)
