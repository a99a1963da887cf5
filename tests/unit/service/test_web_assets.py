"""Browser assets: exact copies with their hashes, the interpreter as a plain script, no download addresses kept."""

import hashlib
import json
from pathlib import Path

import pytest

from service.web.assets import FILES, ROOT, AssetsMissing, check_vendor, classic_interpreter, copy_assets

INTERPRETER = """import { ascending, isString } from 'vega-util';
function expression() { return ascending; }
export { expression as expressionInterpreter };
"""


def made_up_modules(folder: Path) -> Path:
    for path in FILES.values():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(INTERPRETER if "interpreter" in path else f"/* {path} */\n//# sourceMappingURL=x.js.map\n")
    return folder


def test_copies_what_pages_need_with_hashes_of_what_is_served(tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    manifest = copy_assets(made_up_modules(tmp_path / "node_modules"), vendor)
    assert set(manifest) == set(FILES)
    assert json.loads((vendor / "manifest.json").read_text()) == manifest
    for name, digest in manifest.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest
        assert b"sourceMappingURL" not in (vendor / name).read_bytes()
    check_vendor(vendor)


def test_says_which_package_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    modules = made_up_modules(tmp_path)
    (modules / FILES["htmx.js"]).unlink()
    with pytest.raises(AssetsMissing, match=r"htmx\.org.*npm ci"):
        copy_assets(modules, tmp_path / "vendor")
    with pytest.raises(AssetsMissing, match="make assets"):
        check_vendor(tmp_path / "nothing")


def test_the_interpreter_becomes_a_script_without_imports() -> None:
    script = classic_interpreter(INTERPRETER)
    assert "import " not in script
    assert "export " not in script
    assert "globalThis.vegaInterpreter" in script


def test_another_shape_of_the_interpreter_is_refused() -> None:
    with pytest.raises(AssetsMissing, match="another shape"):
        classic_interpreter("export const expressionInterpreter = 1;")


def test_the_lock_file_names_versions_and_no_addresses() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    for name, version in wanted.items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    assert all("integrity" in package for name, package in lock["packages"].items() if name)
