"""Captions for eight jobs that wait in a worker, together and one by one: `python -m tests.benchmarks.batching`.

The way is the worker's own: `Batching` chooses from the line, the child's `perform` runs what it chose, from the bytes
of real photographs on. The BLIP has Salesforce's size and random weights, eight bits where the processor is faster;
twenty tokens, greedy, one thread, CPU time.
"""

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bus.messages import Job
from consumers.batching import MOST, Batching
from consumers.child import perform
from consumers.operations import Limits, Output, Runner
from consumers.operations.captioner import Wording, generate, quantised
from consumers.operations.decoding import rgb
from consumers.operations.resizing import reduced
from tests.benchmarks.caption import TOKENS, WAITING, true_size
from tests.benchmarks.side_by_side import photograph

SIDE = 384
LIMITS = Limits()


class Teller(Runner):
    """Says what an untrained BLIP sees, in the numbers of its words: there is no tokenizer for random weights."""

    def __init__(self) -> None:
        self._model = quantised(true_size())

    def run(self, body: bytes, params: Any, limits: Limits) -> Output:
        raise NotImplementedError  # the child asks for batches, if only of one

    def run_batch(self, bodies: Sequence[bytes], params: Any, limits: Limits) -> list[Any]:
        pictures = [_prepared(body, limits) for body in bodies]
        told = generate(self._model, pictures, torch.tensor([30522]), Wording(length=TOKENS))
        return [Output(str(words.tolist()).encode(), "application/json", "random") for words in told]


def _prepared(body: bytes, limits: Limits) -> Tensor:
    small = torch.from_numpy(reduced(rgb(body, limits), SIDE).copy())
    square = torch.nn.functional.interpolate(small.permute(2, 0, 1)[None].float(), (SIDE, SIDE), mode="bilinear")
    return square / 127.5 - 1


def emptied(teller: Runner, waiting: list[Job], batching: Batching) -> tuple[int, float]:
    """Run the line empty; how many runs it took, and CPU seconds."""
    runs, before = 0, time.process_time()
    while waiting:
        places = batching.choose(waiting, free=1)
        request = {"operation": "caption", "params": waiting[0].params}
        heads, _ = perform({"caption": teller}, request, [waiting[place].body for place in places], LIMITS)
        assert {head["status"] for head in heads} == {"done"}
        waiting = [job for place, job in enumerate(waiting) if place not in places]
        runs += 1
    return runs, time.process_time() - before


def main() -> None:
    torch.set_num_threads(1)
    teller = Teller()
    names = ("coffee", "chelsea", "rocket", "astronaut")
    jobs = [
        Job(id=str(number), operation="caption", user="anna", body=photograph(0.5, names[number % 4]), attempt=1)
        for number in range(WAITING)
    ]
    emptied(teller, jobs[:1], Batching((), LIMITS.max_bytes, 3))  # warms up
    alone, one_by_one = emptied(teller, jobs, Batching((), LIMITS.max_bytes, 3))
    runs, together = emptied(teller, jobs, Batching({"caption"}, LIMITS.max_bytes, 3))
    print(f"one by one          {one_by_one:5.1f} s in {alone} runs")
    print(f"together (most {MOST})   {together:5.1f} s in {runs} runs   ratio {together / one_by_one:.2f}")


if __name__ == "__main__":
    main()
