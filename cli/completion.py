"""``bitformer completion``: what a shell completes commands with."""

import click

from bitformer.cli.report import Report, json_option

__all__ = ["command"]

#: Shells by their names, and what to do with the script in each.
SHELLS = {
    "bash": 'eval "$(bitformer completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(bitformer completion zsh)" in ~/.zshrc',
    "fish": "bitformer completion fish > ~/.config/fish/completions/bitformer.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(SHELLS)))
@json_option
def command(shell: str, report: Report) -> None:
    """Print the script by which SHELL completes commands, options, files and models' names.

    In bash and zsh, put eval "$(bitformer completion SHELL)" into ~/.bashrc or ~/.zshrc; of fish,
    write what it prints to ~/.config/fish/completions/bitformer.fish.

    \b
    bitformer completion bash
    bitformer completion fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    root = click.get_current_context().find_root().command
    script = made(root, {}, "bitformer", "_BITFORMER_COMPLETE").source()
    if not report.as_json:
        click.echo(script)
    report.data({"shell": shell, "script": script, "use": SHELLS[shell]})
