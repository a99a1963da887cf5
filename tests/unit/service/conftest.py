from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from service.db.engine import Database
from tests.lib.relational import Office


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("database") / "empty.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.dispose()
    return path


@pytest.fixture
def office(tmp_path: Path, migrated_file: Path) -> Generator[Office]:
    path = Path(shutil.copy(migrated_file, tmp_path / "office.db"))
    database = Database(f"sqlite:///{path}")
    yield Office(database)
    database.dispose()
