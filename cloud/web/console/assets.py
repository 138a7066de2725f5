"""Files that pages load: ours under /static, those of npm under /vendor, one by one by name."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
# Where `npm ci` at the root of the repository puts packages; an installation elsewhere names its own folder.
NODE_MODULES = Path(__file__).parents[3] / "node_modules"
# Address under /vendor -> file of the package; what is not written here is not served.
VENDOR = {
    "uplot/uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
    "uplot/uPlot.min.css": "uplot/dist/uPlot.min.css",
}
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class OwnFiles(StaticFiles):
    """Static texts, packed where the browser takes that; it asks each time whether they changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        full, found = self.lookup_path(path)
        kind = TYPES.get(Path(full).suffix)
        is_packed = "gzip" in Headers(scope=scope).get("accept-encoding", "")
        if found is None or not S_ISREG(found.st_mode) or kind is None or not is_packed:
            response = await super().get_response(path, scope)
        else:
            tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}-z"'
            response = _packed(scope, full, tag, kind)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Vary"] = "Accept-Encoding"
        return response


class VendorFiles(OwnFiles):
    """The few files of npm packages that pages use."""

    def get_path(self, scope: Scope) -> str:
        asked = super().get_path(scope).replace("\\", "/")
        return VENDOR.get(asked, "not-there")


def mount(app: Starlette, node_modules: Path = NODE_MODULES) -> None:
    """Serve the files. Without npm's folder charts say that their library is missing."""
    app.mount("/static", OwnFiles(directory=STATIC), name="static")
    app.mount("/vendor", VendorFiles(directory=node_modules, check_dir=False), name="vendor")


def _packed(scope: Scope, path: str, tag: str, kind: str) -> Response:
    if Headers(scope=scope).get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    headers = {"ETag": tag, "Content-Encoding": "gzip"}
    return Response(_pack(path, tag), media_type=kind, headers=headers)


@lru_cache(maxsize=64)
def _pack(path: str, tag: str) -> bytes:
    """The file packed; `tag` says which state of it."""
    return gzip.compress(Path(path).read_bytes(), 9, mtime=0)
