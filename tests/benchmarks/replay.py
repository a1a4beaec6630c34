"""Playing a recorded day again: `python -m tests.benchmarks.replay`, a drawn day unless `--file` names one.

How long it takes on one core, how many times as fast as it happened, and how far off it is.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from producers.flight.files import read
from producers.flight.outcomes import Times, figures
from producers.flight.player import as_recorded
from producers.flight.trust import Errors
from producers.flight.what_if import WhatIf
from tests.simulation.day import DaySpec, record
from ui.replay.running import play_alone

ASKED = (WhatIf(), WhatIf(policy="predictive"), WhatIf(add_vms=1))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200_000)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--vms", type=int, default=4)
    parser.add_argument("--file", type=Path, help="a recording to play, in place of a drawn day")
    return parser.parse_args()


def main() -> None:
    args = parsed()
    with TemporaryDirectory() as folder:
        path = args.file or Path(folder) / "day.jsonl.gz"
        if args.file is None:
            began = time.process_time()
            record(DaySpec(args.jobs, args.hours * 3600, args.vms), path)
            print(f"drawn, run and recorded in {time.process_time() - began:.1f} s, {path.stat().st_size / 1e6:.1f} MB")
        measure(path)


def measure(path: Path) -> None:
    began = time.process_time()
    recording = read(path)
    span_s = (recording.header.to_ms - recording.header.from_ms) / 1000
    print(f"{len(recording.jobs):,} jobs of {span_s / 3600:.1f} h read in {time.process_time() - began:.1f} s")
    was = figures(as_recorded(recording))
    print(f"{'recorded':24} {said(was.answer)}, overflow {was.overflow:.1%}")
    for asked in ASKED:
        began = time.process_time()
        played = figures(play_alone(recording, asked))
        took_s = time.process_time() - began
        name = asked.said() if asked.changes else "played unchanged"
        print(f"{name:24} {said(played.answer)}, overflow {played.overflow:.1%}", end="; ", flush=True)
        print(
            f"{took_s:.1f} s of CPU, {len(recording.jobs) / took_s:,.0f} jobs/s, {span_s / took_s:,.0f} times as fast"
        )
        if not asked.changes:
            off = Errors.of(played, was)
            print(f"{'off by':24} p50 {off.p50:+.1%}, p95 {off.p95:+.1%}, p99 {off.p99:+.1%}", end=", ")
            print(f"overflow {100 * off.overflow:+.2f} points")


def said(times: Times) -> str:
    return f"p50 {times.p50:.2f} s, p95 {times.p95:.2f} s, p99 {times.p99:.2f} s"


if __name__ == "__main__":
    main()
