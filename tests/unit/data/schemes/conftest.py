"""One world for every signature."""

from __future__ import annotations

import pytest

from tests.lib.schemed import World, thick_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return thick_world(tmp_path_factory.mktemp("thick"))
