"""Ingest against the loaders anyone would write: ElementTree into pandas, and lxml into dictionaries.

`python -m benchmarks ingest` prints MB/s of all three over one generated folder, the ratios, and the peak memory of
each; the other two check nothing and store nothing. All run in processes of their own; ours includes hashing, typing,
all checks and the committed lake. A larger folder then says whether the rate and the memory stay.
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


def lxml_loader(folder: Path) -> int:
    """lxml, base64, one dictionary a row."""
    import base64

    from lxml import etree

    tables: dict[str, list[dict[str, str | None]]] = {name: [] for name in ROW_TAGS}
    for path in sorted(folder.rglob("*.xml")):
        for part in etree.parse(path).getroot().iter("FILEHOSO"):
            name = part.findtext("LOAIHOSO") or ""
            if name in tables:
                content = part.find("NOIDUNGFILE")
                inner = content[0] if len(content) else etree.fromstring(base64.b64decode(content.text or ""))
                tables[name].extend({cell.tag: cell.text for cell in row} for row in inner.iter(ROW_TAGS[name]))
    return len(tables["XML1"])


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


LOADERS = {"ours": ours, "plain": plain_loader, "lxml": lxml_loader}


def _made(encounters: int) -> Path:
    from data.synthetic import generate

    folder = Path(tempfile.mkdtemp())
    generate(folder, encounters=encounters, months=12, seed=7)
    return folder


def _megabytes(folder: Path) -> float:
    return sum(p.stat().st_size for p in folder.rglob("*.xml")) / 1e6


def measure(encounters: int = 20_000, large: int = 100_000, rounds: int = 3) -> dict[str, Any]:
    """The loaders in turn over one folder, medians; then ours over a larger one."""
    made = _made(encounters)
    source = made / "xml"
    size = _megabytes(source)
    times: dict[str, list[float]] = {name: [] for name in LOADERS}
    peaks = dict.fromkeys(LOADERS, 0)
    claims: dict[str, int] = {}
    for _ in range(rounds):
        for name, loader in LOADERS.items():
            seconds, claims[name], peak = _timed(loader, source)
            times[name].append(seconds)
            peaks[name] = max(peaks[name], peak)
    shutil.rmtree(made)
    rate = {name: size / sorted(found)[len(found) // 2] for name, found in times.items()}
    result = {
        "benchmark": "ingest",
        "encounters": encounters,
        "megabytes": round(size, 1),
        **{f"{name}_mb_s": round(found, 1) for name, found in rate.items()},
        "ratio_to_plain": round(rate["ours"] / rate["plain"], 2),
        "ratio_to_lxml": round(rate["ours"] / rate["lxml"], 2),
        "ours_claims_s": round(claims["ours"] / size * rate["ours"]),
        **{f"{name}_peak_gib": round(found / 2**30, 2) for name, found in peaks.items()},
    }
    if large:
        made = _made(large)
        size = _megabytes(made / "xml")
        seconds, _, peak = _timed(ours, made / "xml")
        shutil.rmtree(made)
        result |= {
            "large_encounters": large,
            "large_mb_s": round(size / seconds, 1),
            "large_to_small_rate": round(size / seconds / rate["ours"], 2),
            "large_peak_gib": round(peak / 2**30, 2),
        }
    return result


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encounters", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=100_000, help="encounters of the larger folder; 0: none")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(argv)
    print(json.dumps(measure(given.encounters, given.large, given.rounds)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
