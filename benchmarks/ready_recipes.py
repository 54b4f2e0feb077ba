"""How each model that ships is trained, and on what: the settings of docs/accuracy.md."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accuracy_rows import WEEK_MIXER
from tasks_detect import FORECASTER

from bitformer.model.config import TransformerConfig, named_config

__all__ = ["RECIPES", "Recipe"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A model that ships: ``arguments`` of ``Training.run``, and of ``bitformer train``."""

    name: str
    title: str
    config: TransformerConfig
    arguments: Mapping[str, Any]
    data: str
    licence: str

    def command(self, seed: int) -> str:
        """The command that trains it again; the model that ships brings the configuration."""
        words = ["bitformer", "train"]
        asked = {**self.arguments, "config": self.name, "name": self.name, "seed": seed}
        for name, value in asked.items():
            words += [f"--{name.replace('_', '-')}", str(value)]
        return shlex.join([*words, "-o", f"runs/{self.name}"])


_NAB = (
    "Numenta Anomaly Benchmark (github.com/numenta/NAB at ea702d7), nyc_taxi.csv: taxi passengers"
    " in New York City in each half hour, July 2014 to January 2015; ships with bitformer"
)
_NAB_LICENCE = "MIT"
_DAILY = ("hour", "weekday")

RECIPES = (
    Recipe(
        name="etth1-oil-w4a8",
        title="Oil temperature of an electrical transformer: 96 hours in, the next 24 out",
        config=named_config("etth1-96-24"),
        arguments={"data": "etth1"},
        data="ETTh1 (github.com/zhouhaoyi/ETDataset at 1d16c8f), column OT, hourly, 2016 to 2018;"
        " Zhou et al., Informer, AAAI 2021",
        licence="CC BY-ND 4.0 for the data; no row of them is in the model",
    ),
    Recipe(
        name="beijing-ozone-w4a8",
        title="A virtual sensor: ozone now, from 24 hours of seven other quantities",
        config=named_config("sense-24-1"),
        arguments={"data": "beijing-air", "sense": "O3"},
        data="Beijing Multi-Site Air Quality (UCI 501, Zhang et al. 2017), station Dongsi, hourly,"
        " March 2013 to February 2017: PM2.5, PM10, NO2, CO, temperature, dew point, wind speed",
        licence="CC BY 4.0 for the data, as UCI lists it; no row of them is in the model",
    ),
    Recipe(
        name="nyc-taxi-w4a8",
        title="Taxi passengers in New York: 24 hours of half hours in, the next 6 hours out",
        config=named_config("taxi-48-12"),
        arguments={"data": "nyc-taxi"},
        data=_NAB,
        licence=_NAB_LICENCE,
    ),
    Recipe(
        name="metro-traffic-w4a8",
        title="Cars on the interstate I-94: a week of hours in, the next day out",
        config=WEEK_MIXER.replace(calendar=_DAILY),
        arguments={
            "data": "metro-traffic",
            "dropout": 0.05,
            "epochs": 30,
            "qat_epochs": 10,
            "qat_lr": 0.001,
        },
        data="Metro Interstate Traffic Volume (UCI 492), hourly, July 2015 to September 2018, in"
        " a copy: github.com/madhavs128/Vehicular-to-Vehicular-Traffic-prediction at 56f74c7",
        licence="CC BY 4.0 for the data, as UCI lists it; no row of them is in the model",
    ),
    Recipe(
        name="nyc-taxi-anomaly-w4a8",
        title="A detector: raises a flag where taxi passengers in New York are unusual",
        config=FORECASTER.replace(calendar=_DAILY),
        arguments={"data": "nyc-taxi", "task": "detect", "epochs": 20, "qat_epochs": 10},
        data=_NAB + ". The five labelled windows score it; nothing is learned of them",
        licence=_NAB_LICENCE,
    ),
)
