"""Model files, data sets and entries of the cache: what carries a digest over everything in it."""

import hashlib
import json
import os
import random
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from fuzz.case import Case, Kind
from fuzz.damage import damaged_bytes, damaged_json
from fuzz.data_kinds import series, small_model
from fuzz.judge import Verdict

from bitformer.model.cache import Cache
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.data.sources import ENVIRONMENT, SOURCES, PublishedFile, find
from bitformer.model.initialize import initialize

__all__ = ["MODEL_KINDS"]


def _make_models(folder: Path) -> None:
    small_model(folder / "small.safetensors")
    save_model(initialize(named_config("tiny")), folder / "tiny.safetensors")


def damaged_model(rng: random.Random, data: bytes) -> bytes:
    """A safetensors file: its bytes, its header, the header's JSON, or two of its tensors."""
    how = rng.randrange(6)
    if how < 2:
        return damaged_bytes(rng, data)
    length = int.from_bytes(data[:8], "little")
    header, rest = data[8 : 8 + length], data[8 + length :]
    if how == 2:
        header = damaged_json(rng, header)
    elif how == 3:
        parts = json.loads(header)
        one, other = rng.sample([name for name in parts if name != "__metadata__"], 2)
        parts[one], parts[other] = parts[other], parts[one]
        header = json.dumps(parts).encode()
    else:
        parts = json.loads(header)
        name = rng.choice(list(parts["__metadata__"]))
        inner = parts["__metadata__"][name].encode()
        try:
            changed = damaged_json(rng, inner)
        except ValueError:  # it is no JSON: a digest, say
            changed = damaged_bytes(rng, inner)
        parts["__metadata__"][name] = changed.decode("utf-8", errors="surrogateescape")
        header = json.dumps(parts, ensure_ascii=False).encode("utf-8", errors="surrogateescape")
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + rest


def _make_series(folder: Path) -> None:
    (folder / "s.csv").write_text(series())


def _written(path: Path, scratch: Path) -> bytes:
    """A model's whole content, however the file puts it."""
    save_model(load_model(path), scratch)
    content = scratch.read_bytes()
    scratch.unlink()
    return content


def _model(case: Case) -> Verdict:
    name = case.rng.choice(("small.safetensors", "tiny.safetensors"))
    path = case.damage(case.copy(name), damaged_model)
    lines = ("info", "info", "info", "estimate", "doctor")
    verdict = case.run(case.rng.choice(lines), path, *case.rng.choice(((), ("--json",))))
    if verdict.bad or verdict.outcome == "refused":
        return verdict
    scratch = case.folder / "again.safetensors"
    if _written(path, scratch) != _written(case.originals / name, scratch):
        return Verdict("silent", f"{name} is another model, and accepted: {verdict.outcome}")
    return verdict


_KEY = hashlib.sha256(b"what it was made from").hexdigest()


def _make_cache(folder: Path) -> None:
    content = random.Random(1).randbytes(3_000)
    Cache(folder / "cache").keep(_KEY, ".bin", content)
    (folder / "content").write_bytes(content)


def _cache(case: Case) -> Verdict:
    folder = case.copy("cache")
    folder.chmod(0o700)
    (path,) = folder.iterdir()
    if case.rng.randrange(8) == 0:
        # under the name that another content would have
        path = path.rename(path.with_name(f"{_KEY}.{case.rng.randbytes(32).hex()}.bin"))
    case.damage(path, damaged_bytes)
    found: list[bytes | None] = []
    names = ("cache/*",)  # what is not whole is given up
    verdict = case.call(
        "Cache.read", lambda: found.append(Cache(folder).read(_KEY, ".bin")), changes=names
    )
    if found and found[0] not in (None, (case.originals / "content").read_bytes()):
        return Verdict("silent", "an entry that was changed is taken")
    return verdict


def _published(folder: Path) -> PublishedFile:
    """A data set as those that are published: :func:`series`, with its digest."""
    digest = hashlib.sha256((folder / "s.csv").read_bytes()).hexdigest()
    return replace(SOURCES["etth1"], folder="", filename="s.csv", sha256=digest)


def _data_set(case: Case) -> Verdict:
    case.damage(case.copy("s.csv"), damaged_bytes)
    with patch.dict(os.environ, {ENVIRONMENT: str(case.folder)}):
        source, cache = _published(case.originals), case.originals / "no cache"
        with patch("pooch.retrieve", side_effect=OSError("no network")):
            found: list[Path] = []
            verdict = case.call("find", lambda: found.append(find(source, cache=cache)))
    if found and found[0].read_bytes() != (case.originals / "s.csv").read_bytes():
        return Verdict("silent", "a data set that was changed is taken")
    return verdict


MODEL_KINDS = {
    "model": Kind(share=1200, make=_make_models, case=_model, digest=True),
    "data-set": Kind(share=200, make=_make_series, case=_data_set, digest=True),
    "cache": Kind(share=400, make=_make_cache, case=_cache, digest=True),
}
