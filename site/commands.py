"""The reference of the command line, written from the commands: a page for each, and one of all.

A hook of MkDocs: the pages are made with the site, and lie in no folder.
"""

import html
import inspect
import re
from collections.abc import Iterator

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from bitformer.cli.main import COMMANDS, SECTIONS, cli
from bitformer.cli.sections import FILES, OTHERS

#: Where the pages stand, and the entry of ``nav`` in whose place they are put.
FOLDER = "commands"
#: Columns, so wide that no description is cut.
WIDTH = 100


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages where ``nav`` names the folder."""
    config.nav = _replaced(config.nav)
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add a page for each command, and the list of all."""
    pages = {"index": overview(), **{name: page(name) for name in COMMANDS}}
    for name, text in pages.items():
        files.append(File.generated(config, f"{FOLDER}/{name}.md", content=text))
    return files


def overview() -> str:
    """Return the page that lists the commands."""
    lines = ["# The command line", "", *_prose(_help_of(cli)), ""]
    for heading, commands in SECTIONS.items():
        lines += [f"## {heading}", "", "| command | |", "|---|---|"]
        lines += [f"| [`{name}`]({name}.md) | {_cell(text)} |" for name, text in commands.items()]
        lines.append("")
    return "\n".join(lines)


def page(name: str) -> str:
    """Return the page of a command: what it does, how it is called, each option."""
    context = click.Context(cli, info_name="bitformer", **cli.context_settings)
    command = cli.get_command(context, name)
    if command is None:
        raise ValueError(f"{name} must be a command")
    own = command.make_context(name, [], parent=context, resilient_parsing=True)
    usage = " ".join(command.collect_usage_pieces(own))
    lines = [f"# bitformer {name}", "", "```text", f"bitformer {name} {usage}", "```", ""]
    lines += _prose(_help_of(command))
    for heading, options in _options(command, own).items():
        lines += ["", f"## {heading}", "", '<dl class="options">']
        for written, text in options:
            anchor = re.match(r".*?--([\w-]+)", written)
            mark = f' id="{anchor[1]}"' if anchor else ""
            lines += [
                f"<dt{mark}><code>{html.escape(written)}</code></dt>",
                f"<dd>{html.escape(text)}</dd>",
            ]
        lines.append("</dl>")
    return "\n".join(lines) + "\n"


def _options(command: click.Command, context: click.Context) -> dict[str, list[tuple[str, str]]]:
    """Return what ``--help`` lists, by heading, in its order."""
    found: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            heading = getattr(parameter, "heading", OTHERS)
            found.setdefault(heading, []).append(record)
    last = {heading: found.pop(heading) for heading in (OTHERS, FILES) if heading in found}
    return found | last


def _help_of(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "")


def _prose(text: str) -> Iterator[str]:
    """Yield Markdown of a help: its paragraphs, those that keep their lines as code."""
    for paragraph in re.split(r"\n\s*\n", text):
        if paragraph.startswith("\b"):
            body = paragraph.removeprefix("\b").strip("\n")
            kind = "sh" if body.lstrip().startswith("bitformer ") else "text"
            yield from (f"```{kind}", body, "```", "")
        else:
            yield from (html.escape(" ".join(paragraph.split()), quote=False), "")


def _cell(text: str) -> str:
    return html.escape(text, quote=False).replace("|", "&#124;")


def _replaced(entries: list) -> list:
    """Return entries of ``nav``, at any depth, with the folder's pages in its place."""
    pages = [f"{FOLDER}/index.md", *({name: f"{FOLDER}/{name}.md"} for name in sorted(COMMANDS))]
    done = []
    for entry in entries:
        if isinstance(entry, dict):
            ((title, below),) = entry.items()
            if below == f"{FOLDER}/":
                below = pages
            elif isinstance(below, list):
                below = _replaced(below)
            done.append({title: below})
        else:
            done.append(entry)
    return done
