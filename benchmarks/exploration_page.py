"""The page that :mod:`exploration` writes: tables of what searches came to."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

from bitformer.search.engine import Engine

#: Plan, part, seed.
Key = tuple[str, str, int]
Results = Mapping[Key, Mapping[str, Any]]
#: What was measured of a trained model, by :func:`key_of`.
Measured = Mapping[str, Mapping[str, int]]


def _bits_of(result: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    bits = one["name"].removeprefix(result["question"]["config"]["name"] + "-")
    return " ".join(filter(None, (bits, str(Engine(**one["engine"])))))


def key_of(one: Mapping[str, Any], part: str) -> str:
    """Names a trained model on a part and an engine."""
    return " ".join(filter(None, (one["trial"], part, str(Engine(**one["engine"])))))


def cases(
    results: Results,
) -> Iterator[tuple[str, int, Mapping[str, Any], dict[str, Mapping[str, Any]]]]:
    """(part, seed, uniform choice, the searches of that part and seed by name)."""
    for part, seed in sorted({(part, seed) for _, part, seed in results}):
        own = {name: result for (name, *key), result in results.items() if key == [part, seed]}
        uniform = {one["why"]: one for result in own.values() for one in result["baselines"]}
        for baseline in uniform.values():
            yield part, seed, baseline, own


def best(
    own: Mapping[str, Mapping[str, Any]], uniform: str, field: str, measured: Measured
) -> tuple[str, Mapping[str, Any]] | None:
    """The best that beats a uniform choice: (search, candidate).

    In all its costs (``field`` is ``beats``) by what was measured of both, where it was.
    """
    found = []
    for name, result in own.items():
        part = result["question"]["limits"]["part"]
        (baseline,) = (one for one in result["baselines"] if one["why"] == uniform)
        theirs = measured.get(key_of(baseline, part))
        for one in result["candidates"]:
            mine = measured.get(key_of(one, part))
            if not one["sound"] or one["val"] >= baseline["val"]:
                continue
            if field == "beats" and mine and theirs:
                beats = all(mine[cost] <= theirs[cost] for cost in theirs)
            else:
                beats = uniform in one[field]
            if beats:
                found.append((name, one))
    return min(found, key=lambda pair: pair[1]["val"], default=None)


def beaten_table(results: Results, field: str, measured: Measured) -> Iterator[str]:
    """A line for each part, uniform choice and seed."""
    yield (
        "| part | uniform | seed | its val. MSE | best at no more | val. MSE | LUT | RAMB18 |"
        " cycles | bits, search |"
    )
    yield "|" + " --- |" * 10
    for part, seed, baseline, own in cases(results):
        found = best(own, baseline["why"], field, measured)
        cells = "**none**" + " | –" * 5
        if found is not None:
            name, one = found
            change = one["val"] / baseline["val"] - 1
            keys = [key_of(each, part) for each in (baseline, one)]
            both = [measured.get(key) for key in keys]
            said = "" if all(both) else ", pred."
            costs = both if all(both) else [each["came_out"] for each in (baseline, one)]
            luts, blocks, cycles = (
                " → ".join(str(each[cost]) for each in costs)
                for cost in ("luts", "ramb18", "latency")
            )
            bits = _bits_of(own[name], one)
            cells = (
                f"{change:+.1%} | {one['val']:.5f} | {luts}{said} | {blocks} | {cycles} |"
                f" `{bits}`, {name}"
            )
        yield f"| {part} | {baseline['why']} | {seed} | {baseline['val']:.5f} | {cells} |"


def verdict(results: Results, field: str, measured: Measured) -> str:
    """For which parts and uniform choices every seed has a candidate that beats them."""
    found = [
        (f"{one['why']} on {part}, seed {seed}", best(own, one["why"], field, measured))
        for part, seed, one, own in cases(results)
    ]
    missed = [name for name, one in found if one is None]
    if not missed:
        return f"Beaten in all {len(found)} cases."
    won = len(found) - len(missed)
    return f"Beaten in {won} of {len(found)} cases; not: {'; '.join(missed)}."


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
    results: Results,
    space: Mapping[str, float],
    searches: str,
    config: str,
    large: str,
    measured: Measured,
    over_seeds: Sequence[str] = (),
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
            "No more LUTs, LUTs as memory, RAMB18, DSP blocks or cycles: by synthesis of both,"
            " where it does not say predicted. " + verdict(results, "beats", measured),
            "",
            *beaten_table(results, "beats", measured),
            "",
            "No more energy or latency. " + verdict(results, "beats_in_time_and_energy", measured),
            "",
            *beaten_table(results, "beats_in_time_and_energy", measured),
            "",
            *over_seeds,
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
            f" of `{large}` predicted, filtered and ranked on the part's own engine in"
            f" {space['seconds']:.1f} s of one core, with {space['megabytes']:.0f} MB at most;"
            f" packed and unpacked, as `search` does it, in {space['both_seconds']:.1f} s of two"
            " workers.",
            "",
        ]
    )
