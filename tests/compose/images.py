"""Stand-ins for official images where no registry can be reached: the same programs, from Debian's packages.

What they can't show is the official images' own entry points; they are otherwise configured as those are.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bus.errors import SetupError
from tests.compose.engine import Engine, Unavailable, run
from ui.stack.emulator import find

GCLOUD = """#!/bin/sh
# gcloud beta emulators pubsub start --host-port=HOST:PORT --project=PROJECT
for option; do
    case $option in --host-port=*) address=${option#*=} ;; esac
done
exec java -Xmx512m -jar /opt/emulator.jar "--host=${address%:*}" "--port=${address#*:}"
"""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class StandIn:
    """An image made of one Debian release's packages; `hooks` are shell lines run with the new root as $1."""

    tag: str
    release: str
    packages: tuple[str, ...]
    hooks: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


def stand_ins(folder: Path) -> tuple[StandIn, ...]:
    """The images that compose.yaml pulls and the Dockerfile builds on."""
    pip_conf = folder / "pip.conf"
    pip_conf.write_text(f"[global]\ncert = {CERTIFICATES}\n")
    python = StandIn(
        "python:3.11-slim",
        "bookworm",
        # libstdc++6 is in every image that has apt, as the official one does; NumPy and OpenCV rest on it.
        ("ca-certificates", "libstdc++6", "passwd", "python3-minimal", "python3-venv"),
        hooks=(
            'ln -s /usr/bin/python3 "$1/usr/local/bin/python"',
            # Whom this machine trusts, its images trust: there may be a proxy with a certificate of its own.
            f"upload {CERTIFICATES} {CERTIFICATES}",
            f"upload {pip_conf} /etc/pip.conf",
        ),
    )
    rabbitmq = StandIn(
        "rabbitmq:4-management",
        "trixie",
        ("rabbitmq-server",),
        changes=(
            "ENV PATH=/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8",
            "ENV HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-",
            "VOLUME /var/lib/rabbitmq",
            'CMD ["rabbitmq-server"]',
        ),
    )
    return python, rabbitmq, _emulator(folder)


def _emulator(folder: Path) -> StandIn:
    """Google's emulator, this machine's own, started as `gcloud` would start it."""
    try:
        found = find()
    except SetupError as error:
        raise Unavailable(str(error)) from None
    gcloud = folder / "gcloud"
    gcloud.write_text(GCLOUD)
    return StandIn(
        "gcr.io/google.com/cloudsdktool/google-cloud-cli:emulators",
        "bookworm",
        ("openjdk-17-jre-headless",),
        hooks=(
            f"upload {found.jar} /opt/emulator.jar",
            f"upload {gcloud} /usr/local/bin/gcloud",
            'chmod 755 "$1/usr/local/bin/gcloud"',
        ),
    )


def make_stand_ins(engine: Engine) -> None:
    """Build all stand-ins and import them into `engine`, under the official names."""
    mirror = _mirror(engine.environment)
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda image: _make(engine, image, mirror), stand_ins(engine.folder)):
            pass


def _mirror(environment: Mapping[str, str]) -> str:
    """Where this machine gets its Debian packages from."""
    sites = run("apt-get", "indextargets", "--format", "$(SITE)", environment=environment, timeout_s=60).split()
    return next((site for site in sites if site.rstrip("/").endswith("/debian")), "http://deb.debian.org/debian")


def _make(engine: Engine, image: StandIn, mirror: str) -> None:
    archive = engine.folder / f"{image.tag.replace('/', '-').replace(':', '-')}.tar"
    hooks = [f"--customize-hook={hook}" for hook in image.hooks]
    options = ("--quiet", "--variant=essential", "--dpkgopt=force-unsafe-io", f"--include={','.join(image.packages)}")
    build: tuple[str | Path, ...] = ("mmdebstrap", *options, *hooks, image.release, archive, mirror)
    run(*build, environment=engine.environment, timeout_s=400)
    changes = [f"--change={change}" for change in image.changes]
    run("docker", "import", *changes, archive, image.tag, environment=engine.environment, timeout_s=120)
    archive.unlink()
