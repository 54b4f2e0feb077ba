"""Options of how a detector judges, which `train` and `export` share."""

import click

from bitformer.cli.options import grouped
from bitformer.cli.quantity import Number

__all__ = ["judge_options"]

#: How a detector judges, as ``judge``; None stands for what is not given.
judge_options = grouped(
    "judge",
    click.option(
        "--smoothing",
        type=click.IntRange(0, 15),
        metavar="N",
        help="Of a detector: each window moves the level of what is judged 2^-N of the way to its"
        " residual. More averages over more windows: it finds less, later, with less noise; 0"
        " averages nothing [4, less of few windows].",
    ),
    click.option(
        "--factor",
        type=Number(1e-3, 1e6),
        metavar="TIMES",
        help="Of a detector: its threshold, as a multiple of the largest score of the rows that it"
        " was trained on [1.5]. A larger one raises fewer false alarms and finds less.",
    ),
    click.option(
        "--hold",
        type=click.IntRange(0, 65535),
        metavar="WINDOWS",
        help="Of a detector: for how many windows its flag stays up after the last score above the"
        " threshold [0], so that one event is one alarm.",
    ),
)
