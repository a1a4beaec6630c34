"""What pages load from us: one address for all of it, that changes with its content: browsers keep it for good."""

import hashlib
from pathlib import Path

_WEB = Path(__file__).parents[1]
_FOLDERS = {"": _WEB / "static", "/components": _WEB / "pages" / "components"}
_YEAR_S = 31_536_000


def fingerprint(folders: tuple[Path, ...]) -> str:
    """Sixteen hex digits that change when any file below the folders does."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.suffix not in {".py", ".pyc"}):
        if path.is_file():
            digest.update(str(path.relative_to(_WEB)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


BASE = f"/static/{fingerprint(tuple(_FOLDERS.values()))}"
"""Where everything below `ui/web/static` is served; the pages' own components are in `/components` of it."""


def serve_assets() -> None:
    """Serve the files at `BASE`, and let components import them as `overspill/...`."""
    # Half a second, which whoever needs no more than the address need not wait.
    from nicegui import app  # noqa: PLC0415
    from nicegui.dependencies import register_importmap_override  # noqa: PLC0415

    for below, folder in sorted(_FOLDERS.items(), reverse=True):  # the more exact address first
        app.add_static_files(BASE + below, folder, max_cache_age=_YEAR_S)
    register_importmap_override("overspill/", f"{BASE}/")
