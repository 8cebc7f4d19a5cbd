"""The page `/docs`: every endpoint to read and to try, with nothing from another server.

FastAPI's own page loads its program from a content delivery network, which a trading host may not
reach and has no reason to trust.
"""

from pathlib import Path
from typing import Final

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_FILES: Final = Path(fastapi_offline.__file__).parent / "static"
_FILES_PATH: Final = "/docs/files"


def add_docs_page(app: FastAPI) -> None:
    """Serve the page and its files."""
    app.mount(_FILES_PATH, StaticFiles(directory=_FILES), name="docs-files")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        # Relative, so that they are found below whatever path a proxy serves the gateway.
        files = _FILES_PATH.removeprefix("/")
        return get_swagger_ui_html(
            openapi_url=str(app.openapi_url).removeprefix("/"),
            title=app.title,
            swagger_js_url=f"{files}/swagger-ui-bundle.js",
            swagger_css_url=f"{files}/swagger-ui.css",
            swagger_favicon_url=f"{files}/favicon.png",
        )
