import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bus.errors import SetupError
from bus.settings import Settings
from tests.needed import need_package

need_package("google.cloud.pubsub_v1", "bridge")
from google.api_core.exceptions import NotFound  # noqa: E402 (what it needs may be missing)

from bridge.pubsub.clients import Clients, said  # noqa: E402


def account(folder: Path) -> Path:
    """A service account's file, with a key that nobody knows of."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    told = {"type": "service_account", "client_email": "a@p.iam", "token_uri": "https://t.example", "project_id": "p"}
    path = folder / "account.json"
    path.write_text(json.dumps(told | {"private_key": key.decode(), "private_key_id": "1"}))
    return path


def test_google_is_reached_with_the_credentials_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account(tmp_path)))
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)

    clients = Clients(Settings(cloud_project="p"))

    assert not clients.emulated
    assert clients.publisher.transport.host == "pubsub.googleapis.com:443"
    assert clients.subscriber.transport.host == "pubsub.googleapis.com:443"
    clients.close()


def test_without_credentials_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)

    with pytest.raises(SetupError, match="gcloud auth application-default login"):
        Clients(Settings(cloud_project="p"))


def test_an_emulator_needs_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))

    clients = Clients(Settings(pubsub_emulator_host="127.0.0.1:1"))

    assert clients.emulated
    clients.close()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (NotFound("Topic not found\nand more"), "NotFound: Topic not found"),  # type: ignore[no-untyped-call]
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_what_an_error_says_is_one_line(error: Exception, line: str) -> None:
    assert said(error) == line
