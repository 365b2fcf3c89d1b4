"""The web app's files and, below /docs, the documentation's. Where there is no web app, `/` is the documentation."""

import mimetypes
from urllib.parse import unquote

from infrastructure.local.host.gateway import Response
from infrastructure.local.paths import REPO

WEB = REPO / "web" / "dist"
DOCS = REPO / "docs" / "site"
PUBLISHED = ("openapi.json", "postman.json")
"""Documents of docs/ that stand beside the web app, and beside the documentation that links them."""


def serve(path: str) -> Response:
    """The file at `path`. The web app's deep links (no dot in the last part) get its index page."""
    root = WEB if (WEB / "index.html").exists() else DOCS
    if path.startswith("/docs"):
        root, path = DOCS, path.removeprefix("/docs")
    if not root.exists():
        text = "Neither web/dist nor docs/site is built. The API is under /v1, the mailbox under /_mail.\n"
        return Response(404, [("content-type", "text/plain;charset=UTF-8")], text.encode())
    name = unquote(path).strip("/")
    file = (DOCS.parent / name if name in PUBLISHED else root / name).resolve()
    if file.is_dir():
        file = file / "index.html"
    if not file.is_relative_to((DOCS.parent if name in PUBLISHED else root).resolve()) or not file.is_file():
        if root != WEB or "." in name.rsplit("/", 1)[-1]:
            return Response(404, [("content-type", "text/plain;charset=UTF-8")], b"Not found\n")
        file = root / "index.html"
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    # Vite names assets by their content; everything else may change with the next build.
    cache = "public, max-age=31536000, immutable" if "/assets/" in file.as_posix() and root == WEB else "no-cache"
    if kind.startswith("text/") or kind in ("application/javascript", "application/json"):
        kind += ";charset=UTF-8"
    return Response(200, [("content-type", kind), ("cache-control", cache)], file.read_bytes())
