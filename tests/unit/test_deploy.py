"""The image and the compose file keep their promises: non-root, read-only, health-checked, no password inside."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def dockerfile() -> list[str]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_the_four_services_are_there(compose: dict[str, Any]) -> None:
    assert {"service", "nightly", "mlflow", "postgres"} <= set(compose["services"])


@pytest.mark.parametrize("name", ["service", "nightly", "mlflow"])
def test_our_containers_have_a_read_only_root_and_no_privileges(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_no_password_is_written_down(compose: dict[str, Any]) -> None:
    values = {k: str(v) for s in compose["services"].values() for k, v in (s.get("environment") or {}).items()}
    secrets = [v for k, v in values.items() if "PASSWORD" in k]
    secrets += [m for v in values.values() for m in re.findall(r"://[^:/]+:(.+)@", v)]
    assert len(secrets) == 2
    assert all(re.fullmatch(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}", secret) for secret in secrets)
    for line in (ROOT / ".env.example").read_text().splitlines():
        assert not re.match(r"\w*PASSWORD=.+", line)


def test_only_the_page_is_published_and_only_on_loopback(compose: dict[str, Any]) -> None:
    published = {name: s.get("ports", []) for name, s in compose["services"].items()}
    assert published["service"] == ["127.0.0.1:8000:8000"]
    assert not any(ports for name, ports in published.items() if name != "service")


def test_volumes_named_are_declared(compose: dict[str, Any]) -> None:
    used = {v.split(":")[0] for s in compose["services"].values() for v in s.get("volumes", [])}
    assert {v for v in used if v.isidentifier()} == set(compose["volumes"])


def test_the_image_is_built_in_stages_and_runs_as_nobody(dockerfile: list[str]) -> None:
    stages = [line for line in dockerfile if line.startswith("FROM ")]
    assert len(stages) >= 3
    last = dockerfile[len(dockerfile) - 1 - dockerfile[::-1].index(stages[-1]) :]
    users = [line.split()[1] for line in last if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("root", "0")
    assert any(line.startswith("HEALTHCHECK") for line in last)
    assert any("PYTHONPATH=/app" in line for line in last)


def test_what_the_image_copies_exists(dockerfile: list[str]) -> None:
    built_elsewhere = {"--from=assets", "--from=packages"}
    for line in dockerfile:
        if line.startswith("COPY ") and not built_elsewhere & set(line.split()):
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source


def test_no_state_lies_over_the_code(compose: dict[str, Any], dockerfile: list[str]) -> None:
    mounts = [v.split(":")[1] for s in compose["services"].values() for v in s.get("volumes", [])]
    mounts += [line.split()[1] for line in dockerfile if line.startswith("VOLUME ")]
    assert not [m for m in mounts if m == "/app" or m.startswith("/app/")]
