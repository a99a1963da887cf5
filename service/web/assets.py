"""Browser assets: the few files of `node_modules` that the pages use, copied to be served by us.

Run by `make` after `npm ci`: nothing is fetched from anywhere when a page is opened. `manifest.json` beside the copies
holds the SHA-256 of each, so that a set-up can be checked and a page can ask for exactly the bytes it was made with.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import MinhBachError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
STATIC = Path(__file__).resolve().parent / "static"
VENDOR = STATIC / "vendor"

FILES: Mapping[str, str] = {
    "tabler.css": "@tabler/core/dist/css/tabler.min.css",
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "vega.js": "vega/build/vega.min.js",
    "vega-lite.js": "vega-lite/build/vega-lite.min.js",
    "vega-embed.js": "vega-embed/build/vega-embed.min.js",
    "vega-interpreter.js": "vega-interpreter/build/vega-interpreter.js",
}
"""Name we serve a file under, and where npm puts it."""

_IMPORT = re.compile(r"^import (\{[^}]+\}) from 'vega-util';$", re.MULTILINE)
_EXPORT = re.compile(r"^export \{ expression as expressionInterpreter \};$", re.MULTILINE)
_SOURCE_MAP = re.compile(rb"\n?(//# sourceMappingURL=\S+|/\*# sourceMappingURL=\S+ \*/)\s*$")


class AssetsMissing(MinhBachError):
    """The browser assets are not where they should be."""

    code, exit_code = "assets_missing", 1


def classic_interpreter(source: str) -> str:
    """The Vega expression interpreter, published only as a module with a bare import, as a plain script.

    A bare import needs an inline import map, which our content policy forbids. The interpreter is what lets charts run
    without `unsafe-eval`.
    """
    body, imports = _IMPORT.subn(r"const \1 = globalThis.vega;", source)
    body, exports = _EXPORT.subn("globalThis.vegaInterpreter = { expressionInterpreter: expression };", body)
    if (imports, exports) != (1, 1):
        raise AssetsMissing(
            "vega-interpreter has another shape than the pinned version: look at service/web/assets.py",
            vi="vega-interpreter khác với phiên bản đã ghim: xem service/web/assets.py",
        )
    return f"(() => {{\n{body}\n}})();\n"


REWRITES: Mapping[str, Callable[[str], str]] = {"vega-interpreter.js": classic_interpreter}


def copy_assets(modules: Path, vendor: Path) -> dict[str, str]:
    """Copy what `FILES` names from `modules` into `vendor`; returns and writes name -> SHA-256 of the copy."""
    missing = [path for path in FILES.values() if not (modules / path).is_file()]
    if missing:
        raise AssetsMissing(
            f"not in {modules.name}: {', '.join(missing)}; run `npm ci --ignore-scripts` at the root first",
            vi=f"không có trong {modules.name}: {', '.join(missing)}; hãy chạy `npm ci --ignore-scripts` trước",
        )
    vendor.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, str] = {}
    for name, path in FILES.items():
        content = _SOURCE_MAP.sub(b"\n", (modules / path).read_bytes())  # maps are not served: no dangling link
        if rewrite := REWRITES.get(name):
            content = rewrite(content.decode()).encode()
        (vendor / name).write_bytes(content)
        manifest[name] = hashlib.sha256(content).hexdigest()
    (vendor / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


def check_vendor(vendor: Path = VENDOR) -> None:
    """Raise AssetsMissing unless every file of `FILES` was copied: said at the start, not on the first page."""
    missing = [name for name in FILES if not (vendor / name).is_file()]
    if missing:
        raise AssetsMissing(
            f"browser assets are missing ({', '.join(missing)}): run `make assets`",
            vi=f"thiếu tệp giao diện ({', '.join(missing)}): hãy chạy `make assets`",
        )


def content_hashes(static: Path = STATIC) -> dict[str, str]:
    """Path below `static` -> the first 12 hex digits of its SHA-256, for every file that a page may ask for."""
    return {
        path.relative_to(static).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in sorted(static.rglob("*"))
        if path.is_file()
    }


def main(argv: Sequence[str] = ()) -> int:
    """Copy the assets of this checkout. Exit code as in the contract."""
    if argv:
        sys.stderr.write("usage: make assets\n")
        return 2
    try:
        manifest = copy_assets(ROOT / "node_modules", VENDOR)
    except AssetsMissing as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{len(manifest)} browser assets in {VENDOR.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
