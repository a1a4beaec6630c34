from pathlib import Path

from bus.settings import Settings
from ui.web.storage import database_of, page_folder


def test_the_page_has_a_folder_of_its_own(tmp_path: Path) -> None:
    assert page_folder(Settings(state_dir=tmp_path)) == tmp_path / "page"
    assert page_folder(Settings(state_dir=tmp_path, page_dir=tmp_path / "kept")) == tmp_path / "kept"


async def test_jobs_people_and_webhooks_share_one_database(tmp_path: Path) -> None:
    database = database_of(Settings(page_dir=tmp_path / "kept"))
    await database.open()
    tables = await database.run(lambda c: {name for (name,) in c.execute("SELECT name FROM sqlite_master")})
    await database.close()
    assert {"job", "accounts", "sessions", "tokens"} < tables
    assert any(name.startswith("webhook") for name in tables)
    assert (tmp_path / "kept" / "page.db").stat().st_mode & 0o077 == 0
