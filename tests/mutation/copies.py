"""Copies of the repository, each with a process that runs tests in it."""

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from mutation.choice import turns
from mutation.rules import Place

__all__ = ["Copy"]

ROOT = Path(__file__).parent.parent.parent


class Copy:
    """A copy of the repository that takes one mutant after another."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._git("remove", "--force", str(folder), check=False)
        shutil.rmtree(folder, ignore_errors=True)
        self._git("add", "--detach", "--force", str(folder), "HEAD")
        self._link()
        self._log = (folder / "build" / "warm.txt").open("w")
        self._warm = subprocess.Popen(
            [sys.executable, ROOT / "tests" / "mutation" / "warm.py"],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(folder / "build" / "types"),
                "PYTHONHASHSEED": "0",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,  # Ctrl-C ends no mutant
        )

    @staticmethod
    def _git(*arguments: str, check: bool = True) -> None:
        subprocess.run(["git", "worktree", *arguments], cwd=ROOT, check=check, capture_output=True)

    def _link(self) -> None:
        """Give the copy's folders the names that they are imported by, ahead of what is installed.

        `make types` does the same; it would also set up the repository's own environment anew.
        """
        links = self.folder / "build" / "types" / "bitformer"
        links.mkdir(parents=True, exist_ok=True)
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        folders = settings["tool"]["setuptools"]["package-dir"]
        top = {name.split(".")[1] for name in folders if "." in name}
        for name in top:
            (links / name).symlink_to(self.folder / folders[f"bitformer.{name}"])
        for file in (self.folder / folders["bitformer"]).iterdir():
            (links / file.name).symlink_to(file)

    def close(self) -> None:
        """Remove the copy."""
        self._warm.communicate()
        self._log.close()
        self._git("remove", "--force", str(self.folder), check=False)

    def _ask(self, **request: object) -> dict:
        print(json.dumps(request), file=self._warm.stdin, flush=True)
        return json.loads(self._warm.stdout.readline())

    def run(self, place: Place, limit: float) -> dict[str, object]:
        """Return what became of a mutant; a turn of tests has so many seconds of the processor."""
        start, verdict, by, left_out = time.monotonic(), "survived", "", False
        for tests in turns(place.file):
            answer = self.judge(place, tests, limit)
            by = str(answer.get("failed", ""))
            left_out |= bool(answer.get("ended"))
            if by or "late" in answer:
                verdict = "killed" if by else "unfinished"
                break
        return {
            "key": place.key,
            "file": place.file,
            "line": place.line,
            "rule": place.rule,
            "was": place.was,
            "becomes": place.becomes,
            "verdict": verdict,
            "by": by,
            "left out": left_out,
            "seconds": round(time.monotonic() - start, 1),
        }

    def judge(self, place: Place, tests: dict[str, int], limit: float) -> dict:
        """Return what tests say of a mutant."""
        path = self.folder / place.file
        original, stat = path.read_text(encoding="utf-8"), path.stat()
        path.write_text(place.changed(original), encoding="utf-8")
        try:
            return self._ask(tests=tests, limit=limit)
        finally:
            path.write_text(original, encoding="utf-8")
            os.utime(path, (stat.st_atime, stat.st_mtime))
