"""How a proof of the catalog is written down: in a line of words, and what it needs."""

from proofs.question import Change, Proof

__all__ = ["ALL", "EVER", "STATES", "made"]

#: What a proof holds for.
ALL = "all inputs"
EVER = "all inputs, for ever: induction"
STATES = "all inputs, from any state"
_UNITS = "bitformer.hw.units."
_SHELL = "bitformer.boards.shell."


def made(
    name: str,
    unit: str,
    what: str,
    make: tuple[str, str, dict[str, object]],
    mutant: tuple[str, str, str],
    *,
    bound: str = ALL,
    slow: bool = False,
) -> Proof:
    """Return a proof that ``unit`` does ``what``.

    ``make`` : module, name and arguments of what builds the question. ``mutant`` : module, text and
    what becomes of it, which the proof must refuse. ``bound`` : what it holds for.
    """
    module, old, new = mutant
    prefix = _SHELL if make[0] == "links" else _UNITS
    module = module if module.startswith("bitformer.") else prefix + module
    return Proof(
        name=name,
        unit=unit,
        property=what,
        bound=bound,
        make=make,
        mutant=Change(module, old, new),
        change=f"`{old.strip()}` → `{new.strip()}`".replace("|", "\\|").replace("\n", " "),
        slow=slow,
    )
