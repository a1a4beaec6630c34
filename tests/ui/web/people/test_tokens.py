from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection

import pytest

from bus.errors import BadInput
from ui.web.jobs.database import connect
from ui.web.people import tokens
from ui.web.people.tables import SCHEMA
from ui.web.people.tokens import MOST, Token


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    opened = connect(tmp_path / "page.db", SCHEMA)
    yield opened
    opened.close()


def test_a_token_is_found_by_itself_and_not_kept(connection: Connection, tmp_path: Path) -> None:
    token = tokens.new_token()
    kept = tokens.add(connection, token, "anna", " my script ", 7)
    assert token == f"ovs_{kept.id}_{token.rpartition('_')[2]}"
    assert kept == Token(kept.id, "anna", "my script", 7, None)
    assert tokens.find(connection, token) == kept
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert token.rpartition("_")[2].encode() not in (tmp_path / "page.db").read_bytes()


@pytest.mark.parametrize(
    "shown", ["", "ovs_", "ovs_1_2", "{id}", "ovs_{id}_" + "0" * 64, "{token}0", "{token}\n", "ghp_{id}_" + "0" * 64]
)
def test_no_other_is(connection: Connection, shown: str) -> None:
    token = tokens.new_token()
    kept = tokens.add(connection, token, "anna", "script", 7)
    assert tokens.find(connection, shown.format(id=kept.id, token=token)) is None


@pytest.mark.parametrize("label", ["", "  ", "x" * 101, "a\nb", "a\x00b"])
def test_a_label_is_a_line_of_text(connection: Connection, label: str) -> None:
    with pytest.raises(BadInput) as caught:
        tokens.add(connection, tokens.new_token(), "anna", label, 7)
    assert caught.value.problem.field == "name"


def test_an_account_has_so_many(connection: Connection) -> None:
    for number in range(MOST):
        tokens.add(connection, tokens.new_token(), "anna", str(number), number)
    with pytest.raises(BadInput, match="as many as one may"):
        tokens.add(connection, tokens.new_token(), "anna", "one more", 7)
    tokens.add(connection, tokens.new_token(), "ben", "mine", 7)
    assert [token.label for token in tokens.of_account(connection, "anna")] == [str(n) for n in reversed(range(MOST))]


def test_a_token_is_revoked_by_its_owner(connection: Connection) -> None:
    token = tokens.new_token()
    kept = tokens.add(connection, token, "anna", "script", 7)
    assert not tokens.remove(connection, kept.id, "ben")
    assert tokens.find(connection, token)
    assert tokens.remove(connection, kept.id, "anna")
    assert tokens.find(connection, token) is None


def test_its_last_use_is_known(connection: Connection) -> None:
    token = tokens.new_token()
    tokens.used(connection, tokens.add(connection, token, "anna", "script", 7).id, 99)
    found = tokens.find(connection, token)
    assert found
    assert found.used_ms == 99
