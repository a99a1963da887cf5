"""The registry: MLflow holds runs, versions and aliases; a local copy of each bundle serves without importing MLflow.

MLflow takes seconds to import, so what scores reads `models/<version>/` and `models/aliases.json` under the home
folder, which are written through on every change made here and refreshed by `sync`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import MinhBachError
from models.bundle import Bundle

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "minhbach"


class UnknownModel(MinhBachError):
    """A model version or alias that is not registered."""

    code, http_status = "unknown_model", 404

    def __init__(self, name: str, known: str) -> None:
        """`known` lists what there is."""
        super().__init__(
            f"no model version or alias {name!r}: there is {known or 'none yet; run `minhbach train` first'}",
            vi=f"không có phiên bản hay bí danh {name!r}: {known or 'chưa có mô hình, hãy chạy `minhbach train`'}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One registered version, with the figures its training logged."""

    version: int
    run_id: str
    created: str
    aliases: tuple[str, ...]
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]


class Registry:
    """Runs, versions and aliases at one tracking address."""

    def __init__(self, tracking_uri: str, home: Path) -> None:
        """`tracking_uri` as MLflow takes it; `home` is where artifacts and local copies go."""
        self._uri = tracking_uri
        self._folder = home / "models"
        self._artifacts = home / "mlruns"

    # what serves: no MLflow

    def aliases(self) -> dict[str, int]:
        """Version by alias, as last known here."""
        path = self._folder / "aliases.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def resolve(self, name: str) -> int:
        """The version an alias or a number means. Raises UnknownModel."""
        aliases = self.aliases()
        if name in aliases:
            return aliases[name]
        versions = self._local_versions()
        if name.isdecimal() and int(name) in versions:
            return int(name)
        known = [*sorted(aliases), *(str(v) for v in versions)]
        raise UnknownModel(name, ", ".join(known))

    def folder(self, version: int) -> Path:
        """Where the local copy of a version's bundle lies."""
        return self._folder / str(version)

    def load(self, version: int) -> Bundle:
        """The bundle of a version. Raises UnknownModel, or BrokenBundle when a file was changed."""
        if not self.folder(version).is_dir():
            raise UnknownModel(str(version), ", ".join(str(v) for v in self._local_versions()))
        return Bundle.load(self.folder(version))

    def _local_versions(self) -> list[int]:
        return sorted(int(p.name) for p in self._folder.glob("*") if p.name.isdecimal())

    # what changes: MLflow

    def register(
        self, bundle: Bundle, *, parameters: Mapping[str, Any], metrics: Mapping[str, float], tags: Mapping[str, str]
    ) -> tuple[str, int]:
        """Log a run with its bundle and register it as the next version; returns (MLflow run id, version)."""
        client = self._client()
        found = client.get_experiment_by_name(MODEL)
        # a server keeps artifacts where it was told to; beside a local store they lie under the home
        location = None if self._uri.startswith("http") else self._artifacts.as_uri()
        experiment = found.experiment_id if found else client.create_experiment(MODEL, location)
        run = client.create_run(experiment, tags=dict(tags))
        run_id: str = run.info.run_id
        staged = self._folder / f"staged-{run_id}"
        sha256 = bundle.save(staged)
        for key, value in parameters.items():
            client.log_param(run_id, key, value)
        for key, value in metrics.items():
            client.log_metric(run_id, key, value)
        client.set_tag(run_id, "bundle_sha256", sha256)
        client.log_artifacts(run_id, str(staged), "bundle")
        client.set_terminated(run_id)
        from mlflow.exceptions import MlflowException

        try:
            client.create_registered_model(MODEL)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = client.create_model_version(MODEL, f"{run.info.artifact_uri}/bundle", run_id=run_id)
        version = int(made.version)
        shutil.rmtree(self.folder(version), ignore_errors=True)
        staged.rename(self.folder(version))
        return run_id, version

    def set_alias(self, alias: str, version: int) -> None:
        """Point an alias at a version, in MLflow and here. Raises UnknownModel."""
        self.resolve(str(version))
        self._client().set_registered_model_alias(MODEL, alias, str(version))
        self._write_aliases(self.aliases() | {alias: version})

    def versions(self) -> list[ModelVersion]:
        """Every registered version, newest first."""
        client = self._client()
        by_version: dict[int, list[str]] = {}
        for alias, version in self.aliases().items():
            by_version.setdefault(version, []).append(alias)
        listed: list[ModelVersion] = []
        for found in client.search_model_versions(f"name = '{MODEL}'"):
            run_id = str(found.run_id)
            run = client.get_run(run_id)
            version = int(found.version)
            listed.append(
                ModelVersion(
                    version=version,
                    run_id=run_id,
                    created=str(found.creation_timestamp),
                    aliases=tuple(sorted(by_version.get(version, []))),
                    parameters=dict(run.data.params),
                    metrics=dict(run.data.metrics),
                )
            )
        return sorted(listed, key=lambda v: -v.version)

    def sync(self) -> None:
        """Bring the local copies in line with MLflow: for a machine that did not do the training."""
        client = self._client()
        from mlflow.exceptions import MlflowException

        try:
            model = client.get_registered_model(MODEL)
        except MlflowException:
            return
        for found in client.search_model_versions(f"name = '{MODEL}'"):
            target = self.folder(int(found.version))
            if not target.is_dir():
                part = self._folder / f"staged-{found.run_id}"
                part.mkdir(parents=True, exist_ok=True)
                client.download_artifacts(str(found.run_id), "bundle", str(part))
                (part / "bundle").rename(target)
                part.rmdir()
        self._write_aliases({alias: int(version) for alias, version in model.aliases.items()})

    def _write_aliases(self, aliases: Mapping[str, int]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / "aliases.part"
        part.write_text(json.dumps(dict(aliases), sort_keys=True))
        part.replace(self._folder / "aliases.json")

    def _client(self) -> MlflowClient:
        from mlflow import MlflowClient

        self._folder.mkdir(parents=True, exist_ok=True)
        return MlflowClient(self._uri)
