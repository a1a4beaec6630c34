"""Which modules are pure: the structure test holds them to it, and `make test-pure` runs their tests alone."""

from pathlib import Path

# Each pure module, with what it may touch all the same and why.
PURE: dict[str, dict[str, str]] = {
    "bus/asyncapi.py": {},
    "bus/control.py": {},
    "bus/errors.py": {},
    "bus/events.py": {},
    "bus/messages.py": {"uuid": "a job or an answer without an id gets a random one"},
    "bus/problems.py": {},
    "bus/settings.py": {
        "os": "names the settings file; settings are the environment's reading",
        "socket": "a VM is called after its host unless told otherwise",
        "sys": "the state lies beside the virtual environment",
    },
    "bus/topology.py": {},
    "consumers/answers.py": {},
    "consumers/attempts.py": {},
    "consumers/batching.py": {},
    "consumers/cancels.py": {},
    "consumers/operations/operation.py": {},
    "consumers/operations/shortage.py": {},
    "consumers/operations/sniffing.py": {},
    "producers/admission.py": {},
    "producers/ahead.py": {},
    "producers/cancels.py": {},
    "producers/cloud.py": {},
    "producers/commands.py": {},
    "producers/dispatcher.py": {},
    "producers/estimates.py": {},
    "producers/eta.py": {},
    "producers/fairness.py": {},
    "producers/intake.py": {},
    "producers/learning.py": {},
    "producers/limits.py": {},
    "producers/line.py": {},
    "producers/megapixels.py": {},
    "producers/placed.py": {},
    "producers/placing.py": {},
    "producers/retries.py": {},
    "producers/shares.py": {},
    "producers/steps.py": {},
    "producers/stranded.py": {},
    "producers/waits.py": {},
    "producers/work.py": {},
    "producers/client/matching.py": {},
    "producers/client/request.py": {},
    "producers/placement/choices.py": {},
    "producers/placement/decide.py": {},
    "producers/placement/least_loaded.py": {},
    "producers/placement/p2c.py": {},
    "producers/placement/policies.py": {},
    "producers/placement/predictive.py": {},
    "producers/placement/receipts.py": {},
    "producers/placement/scene.py": {},
    "producers/placement/threshold.py": {},
    "telemetry/fleet.py": {},
    "telemetry/cgroup.py": {},
    "telemetry/health.py": {},
    "telemetry/ledger.py": {},
    "telemetry/vm_index.py": {},
    "telemetry/vm_view.py": {},
    "ui/commands/findings.py": {},
    "ui/commands/fleet_view.py": {},
    "ui/commands/why_view.py": {},
    "ui/commands/wording.py": {},
    "ui/stack/plan.py": {},
}


def tests_pure_code(test: Path) -> bool:
    """Whether a test file, given relative to `tests`, is that of a pure module."""
    return any(
        test.parent == module.parent and test.stem.startswith(f"test_{module.stem}") for module in map(Path, PURE)
    )
