"""Options on the text of a CSV file and its cells: fields of a ``Reading``."""

import click

from bitformer.cli.quantity import COUNT_OR_NONE

__all__ = ["FILE_OPTIONS"]

#: What the text of a file, its times and its numbers look like.
FILE_OPTIONS = (
    click.option(
        "--time",
        metavar="COLUMN,…",
        help="Column of times, or several that make one: date,clock or year,month,day,hour. Without"
        " it rows count as evenly spaced.",
    ),
    click.option(
        "--time-format",
        metavar="FORMAT",
        help="How times are written, as strptime directives such as '%d/%m/%Y %H:%M'; or epoch,"
        " epoch-ms, epoch-us, epoch-ns for numbers since 1970 [what the column says].",
    ),
    click.option(
        "--time-zone",
        metavar="ZONE",
        help="Where clocks without an offset stand, such as Europe/Berlin: the hour that they show"
        " twice in autumn is read by the order of the rows.",
    ),
    click.option(
        "--decimal",
        metavar=".|,",
        help="Decimal mark; the other one parts thousands then [a point, or what the cells say].",
    ),
    click.option(
        "--missing",
        metavar="TEXT,…",
        help="More texts and numbers of missing values, such as -200,? or temp=0 in one column"
        " (empty, NA, N/A, NaN, null and none always are).",
    ),
    click.option(
        "--strip",
        metavar="TEXT,…",
        help="Texts to take off the ends of cells, such as kW,%.",
    ),
    click.option(
        "--encoding", metavar="NAME", help="Of the text, such as cp1252 or utf-16 [utf-8]."
    ),
    click.option(
        "--skip",
        type=COUNT_OR_NONE,
        metavar="N",
        help="Lines above the header to leave out, blank ones too [0].",
    ),
    click.option(
        "--header",
        metavar="A,B,…",
        help="The columns' names, where the file has no line of them.",
    ),
)
