"""What a VM's computing process holds after thousands of jobs: `python -m tests.benchmarks.memory [JOBS]`.

Sketches and cut-outs of photographs of many sizes, formats and parameters, in a random but repeatable order, with bad
input among them; remove-background only where its network is on this machine. Reported is resident memory after each
tenth of the jobs, and its growth after the first, which warms up.
"""

import asyncio
import random
import statistics
import sys
from collections.abc import Iterator
from typing import Any

import psutil

from bus.settings import load
from consumers.compute import Child
from consumers.vm import worker_config
from telemetry.machine import Machine
from tests.benchmarks.side_by_side import photograph

JOBS = 2000
TIMEOUT_S = 60
GOAL = 0.05
SIZES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Megapixels."""
WISHES: dict[str, list[dict[str, Any]]] = {
    "sketch": [
        {},
        {"style": "coloured", "format": "png"},
        {"style": "charcoal", "paper": "rough"},
        {"paper": "cream", "format": "webp"},
    ],
    "remove-background": [{}, {"format": "webp"}, {"background": "#ff8800", "format": "jpeg"}],
}


def jobs(operations: list[str], count: int) -> Iterator[tuple[str, dict[str, Any], bytes]]:
    """Jobs in a repeatable order: one cut-out to nine sketches, and every fiftieth picture is cut short."""
    chance = random.Random(5)
    pictures = [photograph(size, name) for size in SIZES for name in ("coffee", "chelsea", "rocket")]
    for number in range(count):
        operation = operations[-1] if number % 10 == 0 else operations[0]
        body = chance.choice(pictures)
        yield operation, chance.choice(WISHES[operation]), body[: len(body) // 2] if number % 50 == 0 else body


async def resident(count: int) -> list[float]:
    """MiB resident after each job."""
    machine = Machine()
    settings = load(operations=("sketch", "remove-background"))
    child = Child(worker_config(settings, machine.cores, machine.memory_bytes).child)
    held: list[float] = []
    try:
        served = await child.start()
        print(f"serving {', '.join(served.operations)}")
        process = psutil.Process(child.pid)
        for operation, params, body in jobs([name for name in WISHES if name in served.operations], count):
            await child.run(operation, params, [body], TIMEOUT_S)
            held.append(process.memory_info().rss / (1 << 20))
    finally:
        child.close()
    return held


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else JOBS
    held = asyncio.run(resident(count))
    tenth = max(1, count // 10)
    for done in range(tenth, count + 1, tenth):
        print(f"after {done:5} jobs  {statistics.mean(held[done - tenth : done]):7.1f} MiB")
    first, last = statistics.mean(held[tenth : 2 * tenth]), statistics.mean(held[-tenth:])
    print(f"growth after warm-up {last / first - 1:+.1%} (goal: at most {GOAL:.0%})")


if __name__ == "__main__":
    main()
