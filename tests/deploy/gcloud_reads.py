"""Run by the Python of the Google Cloud SDK: has gcloud's own parser read command lines, and its classes files.

usage: gcloud_reads.py SDK_ROOT < {"commands": [[..], ..], "services": [path, ..], "builds": [path, ..]}
Prints what was refused, as a JSON list. Nothing is executed, and no account is needed.
"""

import contextlib
import importlib
import io
import json
import sys
from typing import Any


def refused(parser: Any, command: list[str]) -> str | None:
    """Why gcloud would not begin a command, or None."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parser.parse_args(command)
    except (SystemExit, Exception) as error:  # noqa: BLE001 (whatever it raises is the finding)
        return f"gcloud {' '.join(command)}\n{error}\n{said.getvalue()}"
    return None


def unreadable(path: str) -> str | None:
    """Why a file is no Cloud Run service, or None."""
    messages = importlib.import_module("googlecloudsdk.api_lib.util.messages")
    run = importlib.import_module("googlecloudsdk.api_lib.util.apis").GetMessagesModule("run", "v1")
    document = importlib.import_module("googlecloudsdk.core.yaml").load_path(path)
    try:
        messages.DictToMessageWithErrorCheck(document, run.Service)
    except Exception as error:  # noqa: BLE001
        return f"{path}: {error}"
    return None


def unbuildable(path: str) -> str | None:
    """Why a file is no build of Cloud Build, or None."""
    messages = importlib.import_module("googlecloudsdk.api_lib.util.apis").GetMessagesModule("cloudbuild", "v1")
    config = importlib.import_module("googlecloudsdk.api_lib.cloudbuild.config")
    try:
        config.LoadCloudbuildConfigFromPath(path, messages)
    except Exception as error:  # noqa: BLE001
        return f"{path}: {error}"
    return None


def main(root: str) -> None:
    sys.path[:0] = [f"{root}/lib", f"{root}/lib/third_party"]
    asked = json.load(sys.stdin)
    parser = importlib.import_module("googlecloudsdk.gcloud_main").CreateCLI([])._CLI__parser
    found = [refused(parser, command) for command in asked["commands"]]
    found += [unreadable(path) for path in asked["services"]]
    found += [unbuildable(path) for path in asked["builds"]]
    sys.stdout.write(json.dumps([why for why in found if why is not None]))


if __name__ == "__main__":
    main(sys.argv[1])
