"""Several `ingest` at once and readers all the while: one writes, the others say so, nobody sees half of it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
from filelock import FileLock

from data.lake import Lake
from data.synthetic import generate
from tests.integration.test_kill import command, finish, tables
from tests.lib.pipeline import now

AT_ONCE = 3
LOCKED = 3  # exit code of the contract: another run holds the lock
LINES = ("drug_line", "service_line", "lab_result")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough files for the runs to meet."""
    folder = tmp_path_factory.mktemp("generated")
    generate(folder, encounters=500, months=6, seed=11)
    return folder / "xml"


@dataclass
class Watcher:
    """Opens the lake again and again, as a page or a report would, and notes what it sees."""

    home: Path
    seen: dict[int, set[int]] = field(default_factory=dict[int, set[int]])  # snapshot -> numbers of encounters
    looks: int = 0
    faults: list[str] = field(default_factory=list[str])
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - told by the test, in its own thread
                self.faults.append(f"{type(error).__name__}: {error}")

    def look(self) -> None:
        with Lake(self.home / "lake", clock=now).reader() as reader:
            count = reader.pl("select count(*) as n from encounter_history").item()
            self.seen.setdefault(reader.snapshot, set()).add(count)
            self.looks += 1
            for table in LINES:
                lines, alone = reader.pl(
                    f"select count(*), count(*) filter (e.version is null) from {table}_history l "
                    "left join encounter_history e using (version)"
                ).row(0)
                if alone or bool(lines) != bool(count):
                    self.faults.append(f"{lines} rows of {table}, {alone} without their encounter, {count} encounters")


def test_three_at_once_end_as_one(source: Path, tmp_path: Path) -> None:
    home, single = tmp_path / "home", tmp_path / "single"
    with Watcher(home) as watcher:
        processes = [command(home, "ingest", str(source)) for _ in range(AT_ONCE)]
        said = [(process.communicate(timeout=120)[0], process.returncode) for process in processes]
        watcher.look()
    codes = sorted(code for _, code in said)
    assert set(codes) <= {0, LOCKED}
    assert 0 in codes
    loaded = [json.loads(out) for out, code in said if code == 0]
    assert sum(report["files"] > 0 for report in loaded) == 1  # whoever came later had nothing left to do
    again, _ = finish(home, "ingest", str(source))
    assert (again["files"], again["files_skipped"]) == (0, len(list(source.rglob("*.xml"))))
    whole, _ = finish(single, "ingest", str(source))
    assert whole["files"] == again["files_skipped"]

    wanted, found = tables(single), tables(home)
    for name, frame in wanted.items():
        assert found[name].equals(frame), name
    assert watcher.faults == []
    assert watcher.looks > 3
    encounters = wanted["encounter_history"].height
    assert watcher.seen.pop(1) == {encounters}
    assert all(counts == {0} for counts in watcher.seen.values())
    assert not list((home / "lake" / "staging").iterdir())


def test_the_lock_turns_others_away_and_leaves_with_its_process(source: Path, tmp_path: Path) -> None:
    home, single = tmp_path / "home", tmp_path / "single"
    (home / "lake").mkdir(parents=True)
    holder = "import sys; from filelock import FileLock; lock = FileLock(sys.argv[1]); lock.acquire(); print(); input()"
    lock = home / "lake" / "writer.lock"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", holder, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        refused = [command(home, "ingest", str(source)) for _ in range(2)]
        for one in refused:
            one.communicate(timeout=60)
        assert [one.returncode for one in refused] == [LOCKED, LOCKED]
        with Lake(home / "lake", clock=now).reader() as reader:
            assert reader.snapshot == 0
        process.kill()  # without letting the lock go
    report, _ = finish(home, "ingest", str(source))
    assert report["files"] == len(list(source.rglob("*.xml")))
    assert not FileLock(lock).is_locked
    finish(single, "ingest", str(source))
    found = tables(home)
    for name, frame in tables(single).items():
        assert found[name].equals(frame), name
