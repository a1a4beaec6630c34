"""What docs/api.md shows works as it stands: its commands against a real page, its Python against a real signature."""

import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Vhosts
from tests.needed import need_program
from tests.ui.web.api.house import RESULT, House, open_house
from tests.ui.web.api.people import PASSWORD, set_password
from ui.web.webhooks.signing import secret_of, signed_headers

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def house(vhosts: Vhosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    name = f"page-{uuid.uuid4().hex[:12]}"
    with open_house(vhosts.add_vhost(name), tmp_path_factory.mktemp("page")) as opened:
        yield opened
    vhosts.delete_vhost(name)


def test_its_commands_do_what_it_says(house: House, tmp_path: Path) -> None:
    need_program("curl", "install curl")
    (tmp_path / "cup.jpg").write_bytes(RESULT)
    said, *commands = blocks("sh")
    assert said.startswith("export PAGE_URL=")
    script = "\n".join(["set -e", *commands])
    given = {**os.environ, "PAGE_URL": house.url, "TOKEN": house.token("anna"), "PASSWORD": PASSWORD}
    set_password(house, "anna")
    done = subprocess.run(
        ["bash", "-c", script], check=False, cwd=tmp_path, env=given, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert '{"caption":"a red circle"}' in done.stdout
    assert '"state":"done"' in done.stdout
    assert '"secret":"whsec_' in done.stdout
    assert (tmp_path / "sketch.jpg").read_bytes() == (tmp_path / "cut.png").read_bytes() == RESULT


def test_its_check_of_a_signature_believes_us_and_nobody_else() -> None:
    (source,) = blocks("python")
    names: dict[str, Callable[[str, dict[str, str], bytes], bool]] = {}
    exec(source, names)  # noqa: S102 (our own page)
    secret, now_s = secret_of(b"k" * 32), int(time.time())
    headers = signed_headers([secret_of(b"n" * 32), secret], "msg_1", now_s, b"{}")
    old = signed_headers([secret], "msg_1", now_s - 3600, b"{}")
    assert names["is_ours"](secret, headers, b"{}")
    assert not names["is_ours"](secret, headers, b"{ }")
    assert not names["is_ours"](secret_of(b"x" * 32), headers, b"{}")
    assert not names["is_ours"](secret, old, b"{}")
