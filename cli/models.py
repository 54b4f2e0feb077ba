"""``bitformer models``: the trained models that ship."""

from typing import TYPE_CHECKING, Any

import click

from bitformer.cli.report import Report, command_line, json_option

if TYPE_CHECKING:
    from bitformer.model.ready.library import Card

__all__ = ["command"]


def _names(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete a name in a shell."""
    from bitformer.model.ready.library import ready_names

    return [name for name in ready_names() if name.startswith(incomplete)]


def _figure(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _show(report: Report, card: "Card") -> None:
    """Print a card."""
    report.line(f"{card.name}: {card.title}")
    report.line(f"  {card.verdict}")
    report.table(
        ("forecast" if card.task == "forecast" else "score", "test rows"),
        [(name, _figure(value)) for name, value in card.scores.items()],
        title="MSE, standardised" if card.task == "forecast" else None,
    )
    report.line(f"Data:      {card.data}")
    report.line(f"Licence:   {card.licence}")
    report.line(f"Split:     {card.split}")
    report.line(f"Bits:      {card.bits}")
    report.line(f"Size:      {card.parameters} parameters, {card.macs} MACs an inference")
    fits = "fits" if card.fits else "does NOT fit"
    report.line(
        f"On {card.part}: {fits}; {card.cycles} cycles, {card.energy_uj:.2f} uJ an inference at"
        " 100 MHz (energy by a model, not measured)"
    )
    report.line(
        f"Verified:  {card.verified_windows} test windows simulated, every tensor equal to the bit"
    )
    report.line(f"Chosen:    {card.chosen}")
    report.line(f"Made with: {card.made_with}")
    report.line(f"Again:     {card.command}")


@click.command("models")
@click.argument("name", required=False, shell_complete=_names)
@json_option
def command(name: str | None, report: Report) -> None:
    """List the trained models that ship, or show the card of one.

    Their names stand wherever a command takes a model's file, in bitformer.load(), and as --config
    of 'train', for a model of the same shape on your own data. A card says what a model was trained
    on and under which licence, its errors beside the baselines', what it costs, and the command
    that trains it again.

    \b
    bitformer models
    bitformer models beijing-ozone-w4a8
    bitformer info beijing-ozone-w4a8
    bitformer estimate beijing-ozone-w4a8 --part xc7s15
    """
    import bitformer

    if name is not None:
        from bitformer.model.ready.library import ready_card

        card = ready_card(name)
        _show(report, card)
        report.data(card.to_dict())
        return
    cards = bitformer.models()
    report.table(
        ("name", "what it does", "MACs", "cycles", "uJ"),
        [(one.name, one.title, one.macs, one.cycles, f"{one.energy_uj:.2f}") for one in cards],
        words=2,
    )
    report.line("Cycles and energy of an inference on an XC7S15 at 100 MHz.")
    report.line(f"The card of one: {command_line('models', cards[0].name)}")
    report.data({"models": [one.to_dict() for one in cards]})
