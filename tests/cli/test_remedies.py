"""A refusal says what to type: what is typed then is taken from its sentence, and works.

A training is stopped when its data are loaded and its settings are checked.
"""

import math
import re
import shlex
from datetime import datetime, timedelta

import click
import pytest

from bitformer.cli.main import cli
from bitformer.model import train as training
from bitformer.model import training_run
from bitformer.model.checkpoint import save_model
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.model.train_settings import TrainSettings

#: An option as it is printed, with what may be its value.
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-o)(?: ('[^']*'|\"[^\"]*\"|[^\s;:()'\"]+))?")
#: What a sentence says of a value that it refuses: what to give instead, before what was given.
INSTEAD = (
    r"did you mean '(?P<new>[^']+)'\?",
    r"Did you mean (?:one of: )?'(?P<new>[^']+)'",
    r"'(?P<old>[^']+)' is not one of '(?P<new>\w+)'",
    r"(?P<old>\S+) is not in the range (?:x>=)?(?P<new>\d+)",
    r"(?:one of|a store of) [\[(]?'?(?P<new>[\w-]+)'?[ ,)].*, not '?(?P<old>[^']+)'?$",
    r"Board '(?P<old>\w+)' is unknown; known boards are (?P<new>[\w-]+)",
    r"from (?P<new>[\d.]+) to \d+, not '(?P<old>[^']+)'",
    r"such as (?P<new>[^\s,]+).*, not '(?P<old>[^']+)'",
)
#: What comes after an option in a sentence, and is no value.
WORDS = ("must", "tells", "out", "or", "and", "if")


def parameters(command):
    """The options of a command, by what is typed."""
    found = cli.get_command(click.Context(cli), command).params
    return {text: one for one in found for text in (*one.opts, *one.secondary_opts)}


def without(args, option, flag):
    """A command line without an option and its value."""
    args = list(args)
    while option in args:
        place = args.index(option)
        del args[place : place + (1 if flag else 2)]
    return args


def printed(command, sentence):
    """The options in a sentence as (option, is a flag, value), those side by side in one list."""
    known, found, end = parameters(command), [], None
    for match in OPTION.finditer(sentence):
        option, value = match.groups()
        if option not in known:
            continue
        text = shlex.split(value)[0] if value and value[0] in "'\"" else value or ""
        text = text if len(text) == 1 else text.rstrip(",.")
        flag = getattr(known[option], "is_flag", False)
        one = (option, flag, None if flag or text in ("", *WORDS) else text)
        if end is not None and not sentence[end : match.start()].strip():
            found[-1].append(one)
        else:
            found.append([one])
        end = match.end() if value and not value.endswith((",", ";")) else None
    return found


def remedied(args, sentence, fills):
    """The command line as the sentence says; ``fills`` are the values it leaves to the reader."""
    leave = re.search(r"leave (?:out )?(--[a-z-]+)", sentence)
    if leave:
        flag = getattr(parameters(args[0])[leave[1]], "is_flag", False)
        return without(args, leave[1], flag)
    groups = printed(args[0], sentence)
    asked = [group for group in groups if any(one[0] in fills for one in group)]
    asked += [group for group in groups if all(one[1] or one[2] for one in group)]
    if not asked:
        for pattern in INSTEAD:
            found = re.search(pattern, sentence)
            if found:
                return _replaced(args, sentence, found)
    assert asked, f"no remedy in: {sentence}"
    for option, flag, value in asked[0]:
        value = fills.get(option) or value
        args = without(args, option, flag) + [option] + ([] if flag else [value])
    return args


def _replaced(args, sentence, found):
    new, old = found["new"], found.groupdict().get("old")
    if old is None:
        old = re.search(r"'([^']+)'", sentence)[1]
    places = [n for n, arg in enumerate(args) if old in arg.replace("=", ",").split(",")]
    assert places, f"what {sentence!r} refuses is not in {args}"
    for place in places:
        args = [*args[:place], args[place].replace(old, new), *args[place + 1 :]]
    return args


def rows(count=200, *, form="%Y-%m-%d %H:%M", step=60, start=datetime(2024, 3, 1)):
    """Lines of times and of a daily cycle with noise: no line forecasts it exactly."""
    return [
        f"{(start + timedelta(minutes=step * n)).strftime(form)},"
        f"{20 + 5 * math.sin(n / 24 * 2 * math.pi) + n**3 * 7 % 101 / 100:.3f}"
        for n in range(count)
    ]


def table(lines, header="time,load"):
    return "\n".join([header, *lines]) + "\n"


def changed(lines, change):
    """The lines with other cells."""
    return [f"{time},{change(value)}" for time, value in (line.split(",") for line in lines)]


GOOD = rows()
CELLS = [line.split(",")[1] for line in GOOD]
FILES = {
    "good.csv": table(GOOD),
    "b3.csv": table(rows(step=180)),
    "two.csv": table([f"{line},{n % 9}" for n, line in enumerate(GOOD)], "time,load,temp"),
    "cp1252.csv": table(GOOD, "time,löad"),
    "german.csv": table(
        [line.replace(",", ";").replace(".", ",") for line in GOOD], "time;load"
    ),
    "meta.csv": "Device,logger 1\nSite,roof\n" + table(GOOD),
    "qmark.csv": table([*GOOD[:60], GOOD[60].split(",")[0] + ",?", *GOOD[61:]]),
    "units.csv": table(changed(GOOD, lambda v: f"{v} kW")),
    "spike.csv": table([*GOOD[:60], GOOD[60].split(",")[0] + ",1e6", *GOOD[61:]]),
    "short.csv": table(GOOD[:40]),
    "gaps.csv": table([line for n, line in enumerate(GOOD) if n % 25 < 20]),
    "shuffled.csv": table([*GOOD[50:100], *GOOD[:50], *GOOD[100:]]),
    "repeated.csv": table([*GOOD[:50], *(one for line in GOOD[50:] for one in (line, line))]),
    "sensors.csv": table(
        [f"{line},{name}" for line in GOOD for name in ("a", "b")], "time,load,sensor"
    ),
    "weeks.csv": table(rows(form="%d.%m.%Y at %H-%M")),
    "constant.csv": table([f"{line.split(',')[0]},5,{CELLS[n]}" for n, line in enumerate(GOOD)],
                          "time,load,other"),
    "nohead.csv": "\n".join(GOOD) + "\n",
    "twice.csv": table([f"{line},{CELLS[n]}" for n, line in enumerate(GOOD)], "time,load,load"),
    "autumn.csv": table(
        [
            *(line for line in rows(75, start=datetime(2024, 10, 24))),
            *(line for line in rows(120, start=datetime(2024, 10, 27, 2))),
        ]
    ),
    "power.csv": table([f"{line},{n % 7}" for n, line in enumerate(GOOD)], 'time,load,"P, kW"'),
}  # fmt: skip
TINY = ["train", "--config", "tiny", "-o", "run"]
OWN = ["--target", "load", "--time", "time"]


def on(file, *more, config=TINY):
    # a target of their own instead: several would be several targets
    own = OWN[2:] if "--target" in more else OWN
    return [*config, "--data", file, *own, *more]


MODEL = "untrained.safetensors"
#: A command line, and what the reader has to fill in, or chooses among what is said.
REFUSED = {
    # the bytes and the text of a file
    "encoding": (on("cp1252.csv", "--target", "löad"), {}),
    "an encoding that there is not": (on("good.csv", "--encoding", "klingon"), {}),
    "decimal comma": (on("german.csv"), {}),
    "lines before the header": (on("meta.csv"), {}),
    "no header": (on("nohead.csv"), {"--header": "time,load"}),
    "names that are there twice": (on("twice.csv"), {"--header": "time,load,other"}),
    "marks of missing values": (on("qmark.csv"), {}),
    "units": (on("units.csv"), {}),
    "a spike": (on("spike.csv"), {}),
    # columns
    "no target": (["train", "--config", "tiny", "-o", "r", "--data", "good.csv"], {}),
    "a target that is not there": (on("good.csv", "--target", "Load"), {}),
    "a time that is not there": (on("good.csv", "--time", "Time"), {}),
    "an input that is not there": (on("two.csv", "--inputs", "load,tmp"), {}),
    "a target that never changes": (on("constant.csv"), {"--target": "other"}),
    "no data": (TINY, {"--data": "synthetic"}),
    "time of a named set": ([*TINY, "--data", "synthetic", "--time", "time"], {}),
    # times and steps
    "a format of times": (on("weeks.csv"), {"--time-format": "%d.%m.%Y at %H-%M"}),
    "another format of times": (on("good.csv", "--time-format", "%d.%m.%Y"), {}),
    "a zone that there is not": (on("good.csv", "--time-zone", "Berlin"), {}),
    "an hour twice in autumn": (on("autumn.csv"), {}),
    "rows in disorder": (on("shuffled.csv"), {"--repeats": "first"}),
    "several series": (on("sensors.csv"), {"--series": "sensor"}),
    "times that repeat": (on("repeated.csv"), {"--repeats": "mean"}),
    "newest first that is not": (on("good.csv", "--reverse"), {}),
    "a step that is none": (on("good.csv", "--step", "frog"), {}),
    "a step that is none of the file's": (on("good.csv", "--step", "3h"), {"--step": "row"}),
    # windows
    "too few rows": (on("short.csv"), {}),
    "too many gaps": (on("gaps.csv"), {}),
    "a patch that divides no window": (on("good.csv", "--window", "50"), {}),
    # bits, ranges, settings
    "bits of weights": (on("good.csv", "--weights", "5"), {}),
    "bits of activations": (on("good.csv", "--activations", "12"), {}),
    "a range that is none": (on("good.csv", "--range", "5"), {}),
    "falling widths": (on("good.csv", "--lowering", "4,8"), {}),
    "a method": (on("good.csv", "--method", "qot"), {}),
    "a device": (on("good.csv", "--device", "tpu"), {}),
    "a config": (on("good.csv", "--config", "tinny"), {}),
    "an option": (on("good.csv", "--epoch", "3"), {}),
    # models, boards and parts
    "a model without data": (["evaluate", MODEL], {"--data": "synthetic"}),
    "inputs of a model": (
        ["evaluate", MODEL, "--data", "two.csv", "--target", "load", "--inputs", "load,temp"],
        {"--inputs": "load"},
    ),
    "samples": (["simulate", MODEL, "--samples", "0"], {}),
    "an engine": (["simulate", MODEL, "--samples", "1", "--engine", "fast"], {}),
    "a board": (["build", MODEL, "--board", "see", "--plan-only", "-o", "b"], {}),
    "no board": (["build", MODEL, "--plan-only", "-o", "b"], {"--board": "sea"}),
    "a part": (["estimate", MODEL, "--part", "xc7s16"], {}),
    "lanes": (["estimate", MODEL, "--lanes", "0"], {}),
    "a clock": (["estimate", MODEL, "--clock", "0"], {}),
    "a store": (["estimate", MODEL, "--place", "waits=auto"], {}),
    "a placement": (["estimate", MODEL, "--place", "weights=moon"], {}),
}


#: The same of a trained model, whose data are here, and were in another place.
RUN = [*TINY[:3], "--epochs", "1", "--qat-epochs", "1", "--data", "good.csv", *OWN]
AFTER = [*TINY[:3], "--qat-epochs", "1", "--data", "good.csv", *OWN]
TRAINED = "run-of-all/model.safetensors"
REFUSED_BY_A_MODEL = {
    "data of another step": (["evaluate", TRAINED, "--data", "b3.csv"], {}),
    "another target": (["evaluate", TRAINED, "--data", "two.csv", "--target", "temp"], {}),
    "data that went elsewhere": (["evaluate", "moved/m.safetensors"], {"--data": "good.csv"}),
    "forecasts of data that went": (["predict", "moved/m.safetensors"], {"--data": "good.csv"}),
    "another run": ([*RUN, "--lr", "0.01", "-o", "run-of-all"], {"-o": "another-run"}),
    "scales of no run": ([*AFTER, "--keep-scales", "-o", "kept"], {"--from": "run-of-all"}),
    "settings of floats": ([*AFTER, "--from", "run-of-all", "--lr", "0.1", "-o", "from"], {}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("remedies")
    for name, text in FILES.items():
        encoding = "cp1252" if name == "cp1252.csv" else "utf-8"
        (folder / name).write_text(text, encoding=encoding)
    save_model(initialize(named_config("tiny")), folder / MODEL)
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    """In the folder of the files, where a training ends when it would begin."""

    def checked(config, dataset, *, run_dir, resume, keep_scales, device=None, **settings):
        training_run._check(config, dataset)
        TrainSettings(**settings)
        training_run._place(device)
        raise click.exceptions.Exit(0)

    monkeypatch.setattr(training, "train", checked)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(("args", "fills"), REFUSED.values(), ids=REFUSED)
def test_what_a_refusal_says_works(bitformer, here, args, fills):
    said = bitformer(*args)
    assert said.code == 2, said
    sentence = said.err.splitlines()[-1]
    assert sentence.startswith("Error: ")
    then = remedied(args, sentence.removeprefix("Error: "), fills)
    assert then != list(args)
    done = bitformer(*then)
    assert done.code == 0, f"{sentence}\n{shlex.join(then)}\n{done.err}"


@pytest.fixture(scope="module")
def trained(bitformer, folder):
    """A run in the folder, and a model whose data are not where they were."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert bitformer(*RUN, "-o", TRAINED.split("/")[0]).code == 0
        away = [*RUN[: RUN.index("--data")], "--data", "away.csv", *OWN, "-o", "moved"]
        (folder / "away.csv").write_text(FILES["good.csv"])
        assert bitformer(*away).code == 0
        (folder / "away.csv").unlink()
        (folder / "moved/model.safetensors").rename(folder / "moved/m.safetensors")


@pytest.mark.parametrize(("args", "fills"), REFUSED_BY_A_MODEL.values(), ids=REFUSED_BY_A_MODEL)
def test_what_a_model_or_a_run_refuses(bitformer, folder, trained, monkeypatch, args, fills):
    monkeypatch.chdir(folder)
    test_what_a_refusal_says_works(bitformer, folder, args, fills)


def test_there_are_thirty_kinds():
    assert len(REFUSED) >= 40


def test_a_sentence_without_a_remedy_is_noticed():
    for sentence in ("It failed", "Name it with --target or give other rows"):
        with pytest.raises(AssertionError, match=f"no remedy in: {sentence}"):
            remedied(on("good.csv"), sentence, {})
    # what is typed is what was printed
    assert remedied(on("a.csv"), "say --missing '?, -' if it is", {})[-2:] == ["--missing", "?, -"]
    assert remedied(on("a.csv"), "say --decimal , if it is", {})[-2:] == ["--decimal", ","]
