"""Options of classifiers that several commands share."""

import click

from bitformer.cli.quantity import Number

__all__ = ["class_weights_option", "reject_option", "task_option"]

task_option = click.option(
    "--task",
    type=click.Choice(["forecast", "classify", "detect"]),
    help="What the model is for: the next values of a series, the class of a window, or what is"
    " unusual [classify with --label or --files, else forecast].",
)

class_weights_option = click.option(
    "--class-weights",
    type=click.Choice(["balanced"]),
    help="Let a rare class count as much in training as a common one [each window counts the"
    " same].",
)

reject_option = click.option(
    "--reject",
    type=Number(0, 1, below=True),
    metavar="SHARE",
    help="Of a classifier: the share of validation windows, in whole percents such as 0.05, that it"
    " may answer with «rejected», those whose largest scores lead least; the margin goes into the"
    " chip [0: none].",
)
