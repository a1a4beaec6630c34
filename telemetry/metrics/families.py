"""Every metric there is, as data: its name, labels, unit, and which of our processes tell it. Pure.

Names follow Prometheus's rules: the prefix `overspill_`, base units, `_total` for what only grows. A label is never a
user, a job, a reason or anything else that others choose without end. What several processes tell may be summed: each
thing is counted by one of them.
"""

from dataclasses import dataclass
from typing import Final, Literal

Program = Literal["router", "vm", "agent", "bridge", "cloud-service", "page"]
Kind = Literal["counter", "gauge", "histogram"]
PROGRAMS: Final[tuple[Program, ...]] = ("router", "vm", "agent", "bridge", "cloud-service", "page")
_ON_THE_BUS: Final[tuple[Program, ...]] = ("router", "vm", "agent", "bridge", "page")
_WORK: Final[tuple[Program, ...]] = ("vm", "bridge")
_BEAT: Final[tuple[Program, ...]] = ("vm", "agent")
_WEB: Final[tuple[Program, ...]] = ("page", "cloud-service")

JOB_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""From a sketch of a thumbnail to a backlog of minutes."""
WIRE_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""What takes milliseconds while all is well."""


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric with all its series; two are the same only when they are one object, which makes a quick key."""

    name: str
    kind: Kind
    told_by: tuple[Program, ...]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


# -- jobs

JOBS: Final = Family(
    "overspill_jobs_total",
    "counter",
    ("router", "vm", "bridge"),
    "Steps of jobs as they are told on `events`, all but the repeated `waiting`. `place` is none before a job has one.",
    ("state", "operation", "place"),
)
JOB_LINE: Final = Family(
    "overspill_job_line_seconds",
    "histogram",
    ("router",),
    "From a router's first sight of a job to its placement.",
    ("operation", "place"),
    JOB_SECONDS,
)
JOB_QUEUE: Final = Family(
    "overspill_job_queue_seconds",
    "histogram",
    _WORK,
    "From a router's first sight of a job to the beginning of its last run, of jobs that have ended.",
    ("operation", "place"),
    JOB_SECONDS,
)
JOB_RUN: Final = Family(
    "overspill_job_run_seconds",
    "histogram",
    _WORK,
    "How long runs took, those that failed included.",
    ("operation", "place"),
    JOB_SECONDS,
)
FAILURES: Final = Family(
    "overspill_job_failures_total",
    "counter",
    ("router", "vm", "bridge"),
    "Jobs answered with a problem, by its name.",
    ("operation", "problem"),
)
RETRIES: Final = Family(
    "overspill_job_retries_total",
    "counter",
    _WORK,
    "Jobs handed back for another attempt; the problem is none where the job was not at fault.",
    ("operation", "place", "problem"),
)

# -- dead letters

BURIED: Final = Family(
    "overspill_dead_buried_total", "counter", ("router", "vm", "bridge"), "Jobs put into the queue `dead`."
)
DEAD_HANDLED: Final = Family(
    "overspill_dead_handled_total",
    "counter",
    ("router",),
    "Dead jobs that somebody has replayed or purged, as the active router heard.",
    ("how",),
)
QUEUED: Final = Family(
    "overspill_queue_messages",
    "gauge",
    ("router",),
    "Messages ready in the broker's queues, as the active router found every 15 s; lanes and parked are sums.",
    ("queue",),
)

# -- the router

ROUTER_ACTIVE: Final = Family(
    "overspill_router_active", "gauge", ("router",), "1 for the router that routes, 0 for one that stands by."
)
WINDOW: Final = Family(
    "overspill_router_window_jobs", "gauge", ("router",), "Jobs the router looks ahead at, not yet placed."
)
USERS_WAITING: Final = Family(
    "overspill_router_waiting_users",
    "gauge",
    ("router",),
    "Users with jobs in that window; more than ten count as ten.",
)
WAITING: Final = Family(
    "overspill_operation_waiting",
    "gauge",
    ("router",),
    "1 while jobs of an operation wait for a place.",
    ("operation",),
)
PAUSED: Final = Family(
    "overspill_operation_paused", "gauge", ("router",), "1 while an operator has paused an operation.", ("operation",)
)
FAIRNESS: Final = Family(
    "overspill_fairness_ratio",
    "gauge",
    ("router",),
    "Jain's index of the computing time that users who had to wait were given in the last five minutes, each divided "
    "by their weight: 1 is equal shares, 1/n is all for one of n.",
)
CONTENDERS: Final = Family(
    "overspill_fairness_users", "gauge", ("router",), "Users that index is over; with one or none it is 1."
)
LAG: Final = Family(
    "overspill_event_lag_seconds",
    "histogram",
    ("router",),
    "From the telling of an event to the router's hearing of it, by the clocks of both machines.",
    ("kind",),
    WIRE_SECONDS,
)

# -- VMs

VMS: Final = Family("overspill_vms", "gauge", ("router",), "VMs as the active router sees them, by state.", ("state",))
VM_STATE: Final = Family(
    "overspill_vm_state",
    "gauge",
    ("router",),
    "1 for the state a VM is in, as the active router sees it; a VM lost for a day is forgotten.",
    ("vm", "state"),
)
HEARTBEAT_AGE: Final = Family(
    "overspill_vm_heartbeat_age_seconds",
    "gauge",
    ("router",),
    "Since the active router heard a VM's last heartbeat.",
    ("vm",),
)
HEARTBEATS: Final = Family("overspill_vm_heartbeats_total", "counter", _BEAT, "Heartbeats told.", ("vm",))
VM_CPU: Final = Family("overspill_vm_cpu_ratio", "gauge", _BEAT, "Processor use of the VM, 0 to 1.", ("vm",))
VM_RAM: Final = Family("overspill_vm_ram_ratio", "gauge", _BEAT, "Memory use of the VM, 0 to 1.", ("vm",))
VM_SLOTS: Final = Family("overspill_vm_slots", "gauge", _BEAT, "Jobs the VM runs at a time.", ("vm",))
VM_RUNNING: Final = Family("overspill_vm_running_jobs", "gauge", _BEAT, "Jobs that run on the VM.", ("vm",))
VM_HELD: Final = Family(
    "overspill_vm_held_jobs", "gauge", _BEAT, "Jobs delivered to the VM and not yet answered.", ("vm",)
)
VM_OLDEST: Final = Family(
    "overspill_vm_oldest_running_seconds",
    "gauge",
    _BEAT,
    "How long the VM's oldest run has lasted; 0 for none.",
    ("vm",),
)

# -- the cloud

BRIDGE_ACTIVE: Final = Family(
    "overspill_bridge_active", "gauge", ("bridge",), "1 for the bridge that works, 0 for one that stands by."
)
CLOUD_STATE: Final = Family(
    "overspill_cloud_state", "gauge", ("bridge",), "1 for the state the working bridge is in.", ("state",)
)
CLOUD_IN_FLIGHT: Final = Family(
    "overspill_cloud_in_flight_jobs", "gauge", ("bridge",), "Jobs in the cloud, sent and not answered."
)
CLOUD_CAPACITY: Final = Family(
    "overspill_cloud_capacity_jobs",
    "gauge",
    ("bridge",),
    "Jobs the bridge would have in the cloud; 0 is no limit told.",
)
CLOUD_SPENT: Final = Family(
    "overspill_cloud_spent_dollars_total", "counter", ("bridge",), "Estimated price of cloud jobs that were answered."
)
CLOUD_SPENT_DAY: Final = Family(
    "overspill_cloud_spent_today_dollars", "gauge", ("bridge",), "Estimated price of the last 24 hours' cloud jobs."
)
CLOUD_BUDGET: Final = Family(
    "overspill_cloud_budget_dollars", "gauge", ("bridge",), "The cap on the price of 24 hours; +Inf without one."
)
CLOUD_RATE: Final = Family(
    "overspill_cloud_recently_sent_jobs", "gauge", ("bridge",), "Jobs sent into the cloud in the last 60 s."
)
CLOUD_RATE_CAP: Final = Family(
    "overspill_cloud_sendable_jobs", "gauge", ("bridge",), "The cap on jobs sent in 60 s; +Inf without one."
)
CLOUD_ANSWERS: Final = Family(
    "overspill_cloud_answers_total",
    "counter",
    ("bridge",),
    "Answers from the cloud: delivered, gone (nobody waited any more), or late (a second one, or after the end).",
    ("outcome",),
)

# -- the bus

BUS_CONNECTED: Final = Family("overspill_bus_connected", "gauge", _ON_THE_BUS, "1 while connected to the broker.")
BUS_CONNECTS: Final = Family(
    "overspill_bus_connects_total", "counter", _ON_THE_BUS, "Connections to the broker that came to work."
)
BUS_LOST: Final = Family("overspill_bus_disconnects_total", "counter", _ON_THE_BUS, "Connections that were lost.")
BUS_BLOCKED: Final = Family(
    "overspill_bus_blocked", "gauge", _ON_THE_BUS, "1 while the broker, short of memory or disk, takes no messages."
)
BUS_CONFIRM: Final = Family(
    "overspill_bus_confirm_seconds",
    "histogram",
    _ON_THE_BUS,
    "From a publish to the broker's word that it has the message.",
    (),
    WIRE_SECONDS,
)
BUS_REFUSED: Final = Family("overspill_bus_refused_total", "counter", _ON_THE_BUS, "Messages that the broker refused.")

# -- HTTP

HTTP_REQUESTS: Final = Family(
    "overspill_http_requests_total",
    "counter",
    _WEB,
    "Requests answered; `route` is the route's pattern, none where there is no such route.",
    ("route", "method", "status"),
)
HTTP_SECONDS: Final = Family(
    "overspill_http_request_seconds",
    "histogram",
    _WEB,
    "From a request's head to the end of its answer; event streams are left out.",
    ("route", "method"),
    JOB_SECONDS,
)
HTTP_IN_FLIGHT: Final = Family(
    "overspill_http_in_flight_requests", "gauge", _WEB, "Requests being answered, event streams included."
)
HTTP_RECEIVED: Final = Family("overspill_http_received_bytes_total", "counter", _WEB, "Bytes of requests' bodies.")
HTTP_STREAMS: Final = Family("overspill_http_streams", "gauge", _WEB, "Event streams that are open.")
PAGE_JOBS: Final = Family(
    "overspill_page_jobs", "gauge", ("page",), "Jobs of the page that are under way, by state.", ("state",)
)

# -- the cloud service

SERVICE_RUNS: Final = Family(
    "overspill_service_runs_total",
    "counter",
    ("cloud-service",),
    "Runs in the cloud service: done, failed (the answer is a problem), or crashed (it is tried again).",
    ("operation", "outcome"),
)
SERVICE_RUN: Final = Family(
    "overspill_service_run_seconds",
    "histogram",
    ("cloud-service",),
    "How long runs in the cloud service took.",
    ("operation",),
    JOB_SECONDS,
)
SERVICE_IN_FLIGHT: Final = Family(
    "overspill_service_running_jobs", "gauge", ("cloud-service",), "Jobs that run in the cloud service."
)

# -- the process

BUILD: Final = Family(
    "overspill_build_info", "gauge", PROGRAMS, "1, with the version and what this process is.", ("version", "program")
)

FAMILIES: Final = tuple(family for family in list(globals().values()) if isinstance(family, Family))
