from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import MASK, BadSettings, MissingKey, load_settings, unread_variables


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(("MINHBACH_", "MLFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_all_state_lies_under_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MINHBACH_HOME", str(tmp_path / "h"))
    settings = load_settings()
    assert settings.database == f"sqlite:///{tmp_path}/h/minhbach.db"
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/h/mlflow.db"
    assert settings.pseudonym_key_file == tmp_path / "h" / "secrets" / "pseudonym.key"


def test_the_environment_outranks_the_file_and_the_caller_both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('port = 1\nhost = "file"\nduckdb_threads = 3\n')
    monkeypatch.setenv("MINHBACH_CONFIG", str(file))
    monkeypatch.setenv("MINHBACH_PORT", "2")
    monkeypatch.setenv("MINHBACH_HOST", "environment")
    settings = load_settings(port=4)
    assert (settings.port, settings.host, settings.duckdb_threads) == (4, "environment", 3)


def test_mlflows_own_variable_counts_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert load_settings().tracking_uri == "http://mlflow:5000"
    monkeypatch.setenv("MINHBACH_MLFLOW_TRACKING_URI", "http://ours:5000")
    assert load_settings().tracking_uri == "http://ours:5000"


def test_secrets_never_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINHBACH_DATABASE_URL", "postgresql://minhbach:hush/@1@db:5432/minhbach?sslpassword=hush2")
    monkeypatch.setenv("MINHBACH_PSEUDONYM_KEY", "hush" * 8)
    settings = load_settings()
    shown = f"{settings.effective()} {settings!r}"
    assert "hush" not in shown
    assert settings.effective()["database_url"] == f"postgresql://minhbach:{MASK}@db:5432/minhbach?sslpassword={MASK}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("prot = 1", "prot"),
        ("port = 'x'", "port"),
        ("review_share = 2", "review_share"),
        ("port = \nhost = 1", "line 1"),
    ],
)
def test_a_wrong_file_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    monkeypatch.setenv("MINHBACH_CONFIG", str(file))
    with pytest.raises(BadSettings, match=named) as raised:
        load_settings()
    assert named in raised.value.vi
    assert raised.value.exit_code == 2


def test_a_wrong_secret_is_explained_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINHBACH_PSEUDONYM_KEY", "hushhush")
    with pytest.raises(BadSettings, match=r"pseudonym_key: .*32 bytes") as raised:
        load_settings()
    assert "hush" not in str(raised.value) + raised.value.vi


def test_a_config_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MINHBACH_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(BadSettings, match=r"none\.toml"):
        load_settings()


def test_misspelt_variables_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINHBACH_HOEM", "x")
    monkeypatch.setenv("MINHBACH_HOME", "x")
    assert unread_variables() == ["MINHBACH_HOEM"]


def test_the_key_is_made_once_and_only_by_a_writer(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "h")
    with pytest.raises(MissingKey):
        settings.pseudonym_key_bytes(create=False)
    assert not settings.pseudonym_key_file.exists()
    key = settings.pseudonym_key_bytes(create=True)
    assert len(key) == 32
    assert settings.pseudonym_key_bytes(create=True) == settings.pseudonym_key_bytes(create=False) == key
    assert settings.pseudonym_key_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in settings.pseudonym_key_file.parent.iterdir()] == ["pseudonym.key"]
    assert load_settings(home=tmp_path / "other").pseudonym_key_bytes(create=True) != key


def test_a_damaged_key_is_not_replaced(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    settings.pseudonym_key_bytes(create=True)
    settings.pseudonym_key_file.write_bytes(b"half")
    with pytest.raises(MissingKey, match="4 bytes"):
        settings.pseudonym_key_bytes(create=True)


def test_the_given_key_is_used_as_it_is(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, pseudonym_key="k" * 32)
    assert settings.pseudonym_key_bytes(create=True) == b"k" * 32
    assert not settings.pseudonym_key_file.exists()


def test_settings_load_nothing_heavy() -> None:
    root = Path(__file__).parents[3]
    code = (
        "import sys, service.settings; "
        "print([m for m in ('sqlalchemy', 'alembic', 'fastapi', 'polars', 'duckdb', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
