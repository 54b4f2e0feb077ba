"""What is measured of reading: every dialect, in a process of its own."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def reading(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import reading

    return reading


class Pipe:
    """Keeps what is sent."""

    def send(self, one):
        self.sent = one


def test_every_dialect_is_read(reading, tmp_path):
    for dialect in reading.DIALECTS:
        path, pipe = tmp_path / "rows.csv", Pipe()
        reading.write(path, 50, dialect)
        reading.measure(path, dialect, pipe)
        assert pipe.sent["rows"] == 50


@pytest.mark.slow
def test_a_million_rows_take_less_than_ten_seconds_and_a_gigabyte(reading):
    found = reading.measured(1_000_000, "d/m/Y")
    assert found["rows"] == 10**6
    assert found["cpu_s"] < 10
    assert found["peak_mb"] < 1000
