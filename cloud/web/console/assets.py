"""Files that pages load: ours under /static, those of npm under /vendor, one by one by name."""

from __future__ import annotations

from pathlib import Path

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


class OwnFiles(StaticFiles):
    """Static files that browsers keep, but ask each time whether they changed."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


class VendorFiles(OwnFiles):
    """The few files of npm packages that pages use."""

    def get_path(self, scope: Scope) -> str:
        asked = super().get_path(scope).replace("\\", "/")
        return VENDOR.get(asked, "not-there")


def mount(app: object, node_modules: Path = NODE_MODULES) -> None:
    """Serve the files from a Starlette application. Without npm's folder charts say that they are missing."""
    app.mount("/static", OwnFiles(directory=STATIC), name="static")  # type: ignore[attr-defined]
    app.mount("/vendor", VendorFiles(directory=node_modules, check_dir=False), name="vendor")  # type: ignore[attr-defined]
