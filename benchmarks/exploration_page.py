"""The page that :mod:`exploration` writes: tables of what searches came to."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

from bitformer.search.engine import Engine

#: Plan, part, seed.
Key = tuple[str, str, int]
Results = Mapping[Key, Mapping[str, Any]]


def _bits_of(result: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    bits = one["name"].removeprefix(result["question"]["config"]["name"] + "-")
    return " ".join(filter(None, (bits, str(Engine(**one["engine"])))))


def beaten(result: Mapping[str, Any], field: str) -> dict[str, Mapping[str, Any] | None]:
    """For each uniform choice, the best candidate that beats it at no more cost, if any."""
    return {
        uniform["why"]: next(
            (one for one in result["candidates"] if one["sound"] and uniform["why"] in one[field]),
            None,
        )
        for uniform in result["baselines"]
    }


def best(results: Sequence[Mapping[str, Any]], uniform: str, field: str):
    """The best of several searches that beats a uniform choice: (search, candidate)."""
    found = [
        (result, one)
        for result in results
        if (one := beaten(result, field).get(uniform)) is not None
    ]
    return min(found, key=lambda pair: pair[1]["val"], default=None)


def beaten_table(results: Results, field: str) -> Iterator[str]:
    """A line for each part, uniform choice and seed."""
    yield "| part | uniform | seed | its val. MSE | best at no more | val. MSE | bits, search |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    groups = sorted({(part, seed) for _, part, seed in results})
    for part, seed in groups:
        own = [result for (_, *key), result in results.items() if key == [part, seed]]
        names = {one["why"]: one for result in own for one in result["baselines"]}
        for uniform, baseline in names.items():
            found = best(own, uniform, field)
            if found is None:
                cells = "**none** | – | –"
            else:
                result, one = found
                name = next(name for (name, *_), other in results.items() if other is result)
                change = one["val"] / baseline["val"] - 1
                cells = f"{change:+.1%} | {one['val']:.5f} | `{_bits_of(result, one)}`, {name}"
            yield f"| {part} | {uniform} | {seed} | {baseline['val']:.5f} | {cells} |"


def verdict(results: Results, field: str) -> str:
    """For which parts and uniform choices every seed has a candidate that beats them."""
    missed = []
    pairs = sorted({(part, seed) for _, part, seed in results})
    won = lost = 0
    for part, seed in pairs:
        own = [result for (_, *key), result in results.items() if key == [part, seed]]
        for uniform in dict.fromkeys(one["why"] for result in own for one in result["baselines"]):
            if best(own, uniform, field) is None:
                missed.append(f"{uniform} on {part}, seed {seed}")
                lost += 1
            else:
                won += 1
    if not missed:
        return f"Beaten in all {won} cases."
    return f"Beaten in {won} of {won + lost} cases; not: {'; '.join(missed)}."


def score_table(results: Results) -> Iterator[str]:
    """The best validation error of as many candidates by either score."""
    yield "| part | seed | trained | predicted loss | sum of bits | difference |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for part, seed, loss, bits in _pairs(results):
        mine, others = _least(loss), _least(bits)
        trained = f"{len(loss['candidates'])}, {len(bits['candidates'])}"
        change = f"{mine / others - 1:+.2%}"
        yield f"| {part} | {seed} | {trained} | {mine:.5f} | {others:.5f} | {change} |"


def _pairs(results: Results):
    for name, part, seed in sorted(results):
        if name == "fast-loss" and ("fast-bits", part, seed) in results:
            yield part, seed, results[name, part, seed], results["fast-bits", part, seed]


def _least(result: Mapping[str, Any]) -> float:
    return min((one["val"] for one in result["candidates"] if one["sound"]), default=math.inf)


def score_verdict(results: Results) -> str:
    """Which score has the lower best error, over seeds."""
    said = []
    for part in sorted({part for _, part, _ in results}):
        pairs = [(_least(a), _least(b)) for p, _, a, b in _pairs(results) if p == part]
        if pairs:
            wins, ties = sum(a < b for a, b in pairs), sum(a == b for a, b in pairs)
            means = [mean(one) for one in zip(*pairs, strict=True)]
            who = "lower" if means[0] < means[1] else "no lower"
            said.append(
                f"on {part} the predicted loss is better for {wins} of {len(pairs)} seeds"
                f" ({ties} equal), its mean {who}: {means[0]:.5f} against {means[1]:.5f}"
            )
    return "; ".join(said).capitalize() + "."


def chosen_table(results: Results) -> Iterator[str]:
    """What each search ended in; its test error, this once."""
    yield (
        "| search | part | seed | bits | LUT | RAMB18 | DSP | cycles | µJ | val. MSE | test MSE |"
        " float test |"
    )
    yield "|" + " --- |" * 12
    for (name, part, seed), result in sorted(results.items()):
        won = result["chosen"]
        if won is None:
            yield f"| {name} | {part} | {seed} | **nothing fits** |" + " – |" * 8
            continue
        one = result["candidates"][won["rank"] - 1]
        out, was = one["came_out"], one["predicted"]
        luts = f"{was['luts']} → {out['luts']}" if one["synthesized"] else f"{was['luts']}, pred."
        yield (
            f"| {name} | {part} | {seed} | `{_bits_of(result, one)}` | {luts} | {out['ramb18']} |"
            f" {out['dsps']} | {out['latency']} | {out['energy_j'] * 1e6:.3f} | {won['val']:.5f} |"
            f" {won['test']:.5f} | {won['float_test']:.5f} |"
        )


def proofs(results: Results) -> str:
    """How many were simulated, and whether every bit was equal."""
    tried = [
        one["proof"]
        for result in results.values()
        for one in (*result["candidates"], *result["baselines"])
        if one["proof"]
    ]
    exact = sum(bool(not one["error"] and one["bit_exact"]) for one in tried)
    kept = sum(bool(not one["error"] and one["cycles_as_predicted"]) for one in tried)
    fits = sum(one["sound"] for result in results.values() for one in result["candidates"])
    total = sum(len(result["candidates"]) for result in results.values())
    return (
        f"{len(tried)} simulations of trained candidates and baselines: {exact} equal bit for bit,"
        f" {kept} in the cycles they promised. {fits} of {total} candidates fit."
    )


def markdown(
    results: Results, space: Mapping[str, float], searches: str, config: str, large: str
) -> str:
    """The whole page; ``searches`` says what was run."""
    seeds = sorted({seed for *_, seed in results})
    tops = sorted({result["question"]["top"] for result in results.values()})
    return "\n".join(
        [
            "# What a search finds",
            "",
            f"Written by `python benchmarks/exploration.py`. `{config}` on ETTh1, seeds"
            f" {', '.join(map(str, seeds))}; {', '.join(map(str, tops))} candidates trained a"
            " search, beside uniform 4, 6 and 8 bits, all of a seed from one float model. Searches:"
            f" {searches}. Errors are mean squared ones of validation windows, on"
            " which everything is chosen; energy is a model's.",
            "",
            "A search measures what each width adds to the validation error of each component alone"
            " (calibrated, not trained), predicts all combinations, filters them by the limits and"
            " trains the best. By predicted loss, the first is the one with least; then there is,"
            " for each uniform width, the ones with the least that cost no more of anything, and"
            " the one with the least that takes no more time and energy; the rest are of the Pareto"
            " set of loss, latency and energy. By the sum of bits, as published, it is the highest"
            " sums. A search of your own:",
            "",
            "    bitformer search --part xc7s15 --data etth1 --max-latency 50us -o runs/search",
            "",
            "## Better than uniform bits, at equal or smaller cost",
            "",
            "No more LUTs, LUTs as memory, RAMB18, DSP blocks or cycles. "
            + verdict(results, "beats"),
            "",
            *beaten_table(results, "beats"),
            "",
            "No more energy or latency. " + verdict(results, "beats_in_time_and_energy"),
            "",
            *beaten_table(results, "beats_in_time_and_energy"),
            "",
            "## The score: predicted loss against the sum of bits",
            "",
            "The best validation error among as many trained candidates. "
            + score_verdict(results)
            + " Both can be asked for (`--score`).",
            "",
            *score_table(results),
            "",
            "## What the searches ended in",
            "",
            proofs(results) + " The candidate with the least validation error of each search; its"
            " test error is told here only.",
            "",
            *chosen_table(results),
            "",
            "## Time and memory",
            "",
            f"All {space['combinations']:.0f} combinations of 4, 6 and 8 bits for the components"
            f" of `{large}` predicted, filtered and ranked in {space['seconds']:.1f} s"
            f" ({space['cpu_seconds']:.1f} s of one core), with {space['megabytes']:.0f} MB at"
            " most, in a process of its own.",
            "",
        ]
    )
