"""Two runs in one folder: the second is one sentence, and what the first has is as it was."""

import json
import os

import pytest
from disk_harness import contents
from measurement_harness import drawn, invented

from bitformer.estimate.knowledge import KnowledgeBase
from bitformer.model.folder_lock import held

CONFIG = {"name": "small", "window": 8, "horizon": 2, "patch": 4, "d_model": 4, "ffn": 4}
LINES = {
    "train --data synthetic --config {r}/small.json -o {d}": "{d}",
    "demo -o {d}": "{d}/train-nyc-taxi",
    "compare --data synthetic --config {r}/small.json --widths 4 --seeds 1 -o {d}": "{d}",
    "sensitivity --data synthetic --config {r}/small.json --widths 4 -o {d}": "{d}",
    "search --data synthetic --config {r}/small.json --kb {r}/kb.sqlite -o {d}": "{d}",
    "search --data synthetic --config {r}/small.json --kb {r}/kb.sqlite -o {r}/own --trials {d}": (
        "{d}"
    ),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("two")
    (root / "small.json").write_text(json.dumps(CONFIG))
    KnowledgeBase(root / "kb.sqlite").add(
        invented(design, key=f"k{n}") for n, design in enumerate(drawn(12, 7))
    )
    return root


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split(" -")[0] + line[-4:])
def test_a_folder_in_use_is_refused(bitformer, root, tmp_path, line):
    names = {"r": root, "d": tmp_path / "run"}
    folder = LINES[line].format(**names)
    with held(folder):
        before = contents(tmp_path)
        said = bitformer(*(word.format(**names) for word in line.split()))
        assert contents(tmp_path) == before
    assert said.code == 2
    assert said.err.splitlines()[-1] == (
        f"Error: Folder {folder} is in use by another run, process {os.getpid()}: wait for its end,"
        " or choose another folder"
    )
