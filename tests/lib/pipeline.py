"""A small world taken the whole way once a session: generated, loaded, learned from, scored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from data.intake import LoadReport, ingest
from data.lake import Lake
from data.synthetic import generate
from models.bundle import bundle_sha256
from models.registry import Registry
from models.scoring import Run, run_scoring
from models.train import train

KEY = b"0123456789abcdef0123456789abcdef"
RECEIVED = datetime(2026, 10, 1)


def now() -> datetime:
    return datetime(2026, 10, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Pipeline:
    home: Path
    source: Path
    lake: Lake
    registry: Registry
    load: LoadReport
    version: int
    run: Run


def load(lake: Lake, *paths: Path) -> LoadReport:
    with lake.writer("test"):
        return ingest(lake, list(paths), key=KEY, received=RECEIVED, workers=1)


def score(lake: Lake, registry: Registry, version: int, **asked: object) -> Run:
    with lake.writer("test"):
        return run_scoring(
            lake,
            registry.load(version),
            model_version=version,
            bundle_sha256=bundle_sha256(registry.folder(version)),
            **asked,  # type: ignore[arg-type]
        )


def build(home: Path, *, encounters: int = 1_500, seed: int = 11) -> Pipeline:
    source = home / "source"
    generate(source, encounters=encounters, months=6, seed=seed)
    lake = Lake(home / "lake", clock=now, memory="1GB")
    report = load(lake, source / "xml")
    registry = Registry(f"sqlite:///{home / 'mlflow.db'}", home)
    with lake.reader() as reader:
        trained = train(reader, seed=seed)
    _, version = registry.register(trained.bundle, parameters=trained.parameters, metrics=trained.metrics, tags={})
    registry.set_alias("champion", version)
    return Pipeline(home, source, lake, registry, report, version, score(lake, registry, version))
