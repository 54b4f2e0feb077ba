"""What a search came to, without a training or a simulation."""

from bitformer.model.data.reading import DataSource
from bitformer.search.engine import Engine
from bitformer.search.results import SearchResult
from bitformer.study.trials import Outcome, Trial

__all__ = ["finding"]


def finding(
    config, name, *, val, luts, baseline=False, synthesized=None, exact=True, engine=None, **proof
):
    """A finding without a training or a simulation."""
    figures = {"lutram": 5, "ffs": 9, "ramb18": 1, "dsps": 2, "latency": 100, "interval": 90}
    record = {"error": None, "bit_exact": exact, "cycles_as_predicted": True, "synthesis": None}
    record |= {n: figures[n] for n in ("latency", "interval", "ramb18", "dsps")} | proof
    if synthesized is not None:
        record["synthesis"] = {**figures, "luts": synthesized}
    trial = Trial(
        config=config.replace(name=name.replace(" ", "-")), source=DataSource(data="synthetic")
    )
    outcome = Outcome(
        trial=trial,
        float_val=1.0,
        float_test=1.1,
        val=val,
        test=val + 0.1,
        warnings=(),
        model="somewhere",
    )
    return SearchResult(
        config=trial.config,
        engine=engine or Engine(),
        outcome=outcome,
        why=name,
        baseline=baseline,
        within=True,
        loss=0.0,
        total_bits=8,
        predicted={**figures, "luts": luts, "energy_j": 1e-6},
        proof=record,
    )
