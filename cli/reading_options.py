"""Options on how a CSV file is read: its text and cells, its rows, their classes.

All are fields of a ``Reading``.
"""

import click

from bitformer.cli.quantity import COUNT, COUNT_OR_NONE
from bitformer.model.data.reading import REPEATS

__all__ = ["CLASS_OPTIONS", "FILE_OPTIONS", "GROUP_OPTIONS", "ROW_OPTIONS"]

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

#: How the rows of a file follow one another: fields of a ``Reading``.
ROW_OPTIONS = (
    click.option(
        "--step",
        metavar="1h|15min|1b|row",
        help="Distance of neighbouring rows, in s, min, h, d, w, mo, or b for business days; a"
        " plain number for times that are plain numbers; row: each row is one step after the row"
        " before it, whatever their times [what most rows have].",
    ),
    click.option(
        "--max-fill",
        type=COUNT_OR_NONE,
        metavar="N",
        help="Lost rows or missing cells in a row that take the value before them; no window spans"
        " a longer gap [3].",
    ),
    click.option(
        "--series",
        metavar="COLUMN",
        help="Column that names each row's series, for several series in one file: one model, no"
        " window across two of them.",
    ),
    click.option(
        "--reverse",
        is_flag=True,
        default=None,
        help="Read the rows from the last up: the file has its newest row first.",
    ),
    click.option(
        "--repeats",
        type=click.Choice(REPEATS),
        help="Sort rows by time; of several of one time, this one counts [both are refused].",
    ),
    click.option(
        "--every",
        type=COUNT,
        metavar="N",
        help="Of each series, keep the first row and each N-th after it: a slower sensor. Gaps are"
        " filled before [1: all].",
    ),
)

#: Where the classes of rows, and whom or what they are of, are told.
CLASS_OPTIONS = (
    click.option(
        "--label",
        metavar="COLUMN",
        help="Column with the class of each row, by name or whole number: the model tells the class"
        " of a window, whose rows are all of one. Names are numbered in their order.",
    ),
    click.option(
        "--files",
        metavar="PATTERN",
        help="--data is a folder, and the names of its files say the class, and the group if there"
        " is one: '{group}_{label}.csv', '{label}/*.csv'. Each file is a recording.",
    ),
    click.option(
        "--group",
        metavar="COLUMN",
        help="Column of the person or device that each row is of: scores are told for each, and no"
        " window spans two.",
    ),
    click.option(
        "--stride",
        type=COUNT,
        metavar="ROWS",
        help="Rows between the beginnings of two windows of a class [1: every window].",
    ),
)
#: Which groups are in which part.
GROUP_OPTIONS = (
    click.option(
        "--test-groups",
        metavar="A,B,…",
        help="Groups that the test is on: nobody is in two parts then [the last 20 % of each"
        " recording].",
    ),
    click.option(
        "--val-groups",
        metavar="C,D,…",
        help="Groups that validation is on [with --test-groups, the last quarter of the others].",
    ),
)
