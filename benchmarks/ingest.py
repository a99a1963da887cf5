"""Ingest against the plain loader anyone would write: ElementTree into pandas, no checks, nothing stored.

`python -m benchmarks ingest` prints MB/s of both over the same generated folder, their ratio, the peak memory of each.
Both run in processes of their own; ours includes hashing, typing, all checks and the committed lake.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

KEY = b"benchmark-key-of-thirty-two-byte"
ROW_TAGS = {
    "XML1": "TONG_HOP",
    "XML2": "CHI_TIET_THUOC",
    "XML3": "CHI_TIET_DVKT",
    "XML4": "CHI_TIET_CLS",
    "XML5": "CHI_TIET_DIEN_BIEN_BENH",
}


def plain_loader(folder: Path) -> int:
    """ElementTree, base64, dictionaries, one pandas frame a table."""
    import base64
    from xml.etree import ElementTree

    import pandas as pd

    tables: dict[str, list[dict[str, str | None]]] = {name: [] for name in ROW_TAGS}
    for path in sorted(folder.rglob("*.xml")):
        root = ElementTree.parse(path).getroot()  # noqa: S314 - our own generated files
        for part in root.iter("FILEHOSO"):
            name = part.findtext("LOAIHOSO") or ""
            if name not in tables:
                continue
            content = part.find("NOIDUNGFILE")
            assert content is not None
            inner = (
                content[0] if len(content) else ElementTree.fromstring(base64.b64decode(content.text or ""))  # noqa: S314
            )
            for row in inner.iter(ROW_TAGS[name]):
                tables[name].append({cell.tag: cell.text for cell in row})
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    return len(frames["XML1"])


def ours(folder: Path) -> int:
    """The product's ingest into a fresh lake."""
    from data.intake import ingest
    from data.lake import Lake

    with tempfile.TemporaryDirectory() as home:
        lake = Lake(Path(home) / "lake", clock=lambda: datetime(2026, 10, 1))
        with lake.writer("benchmark"):
            report = ingest(lake, [folder], key=KEY, received=datetime(2026, 10, 1))
        return report.encounters_new + report.encounters_replaced


def peak_rss(process: int, stop: threading.Event, peak: list[int]) -> None:
    """Largest resident memory of a process and its children together, in bytes."""
    import psutil

    while not stop.wait(0.1):
        try:
            root = psutil.Process(process)
            family = [root, *root.children(recursive=True)]
            peak[0] = max(peak[0], sum(p.memory_info().rss for p in family))
        except psutil.NoSuchProcess:
            pass


def _timed(loader: Any, folder: Path) -> tuple[float, int, int]:
    """Seconds, claims and peak bytes of `loader` in a process of its own."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_run, args=(loader, folder, queue))
    stop, peak = threading.Event(), [0]
    process.start()
    watcher = threading.Thread(target=peak_rss, args=(process.pid, stop, peak))
    watcher.start()
    seconds, claims = queue.get(timeout=1800)  # a loader that failed puts nothing
    process.join()
    stop.set()
    watcher.join()
    return seconds, claims, peak[0]


def _run(loader: Any, folder: Path, queue: Any) -> None:
    started = time.perf_counter()
    claims = loader(folder)
    queue.put((time.perf_counter() - started, claims))


def measure(encounters: int = 20_000, rounds: int = 3, source: Path | None = None) -> dict[str, Any]:
    """Both loaders in turn over one folder; medians."""
    from data.synthetic import generate

    made = None
    if source is None:
        made = Path(tempfile.mkdtemp())
        generate(made, encounters=encounters, months=12, seed=7)
        source = made / "xml"
    size = sum(p.stat().st_size for p in source.rglob("*.xml")) / 1e6
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    peaks = {"ours": 0, "plain": 0}
    claims = {}
    for _ in range(rounds):
        for name, loader in (("ours", ours), ("plain", plain_loader)):
            seconds, claims[name], peak = _timed(loader, source)
            times[name].append(seconds)
            peaks[name] = max(peaks[name], peak)
    if made:
        shutil.rmtree(made)
    median = {name: sorted(found)[len(found) // 2] for name, found in times.items()}
    return {
        "benchmark": "ingest",
        "encounters": encounters,
        "megabytes": round(size, 1),
        "ours_mb_s": round(size / median["ours"], 1),
        "plain_mb_s": round(size / median["plain"], 1),
        "ratio": round(median["plain"] / median["ours"], 2),
        "ours_claims_s": round(claims["ours"] / median["ours"]),
        "ours_peak_gib": round(peaks["ours"] / 2**30, 2),
        "plain_peak_gib": round(peaks["plain"] / 2**30, 2),
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encounters", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--source", type=Path, help="a folder of claim files; default: generated")
    given = parser.parse_args(argv)
    print(json.dumps(measure(given.encounters, given.rounds, given.source)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
