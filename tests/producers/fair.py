"""Queues for the tests of fairness: an item's user is its first letter."""

from hypothesis import strategies as st

from producers.fairness import FairQueue

Arrival = tuple[str, str, int, bool]
ARRIVALS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("KL"), st.integers(0, 9), st.booleans()), max_size=60
)


def served(queue: FairQueue[str], most: int = 10_000) -> list[str]:
    """Serve up to `most` items, each as if one slot came free."""
    taken: list[str] = []

    def take(item: str) -> bool:
        if len(taken) == most:
            return False
        taken.append(item)
        return True

    queue.serve(take)
    return taken


def fill(queue: FairQueue[str], items: str, *, seconds: float = 1, kind: str = "K", interactive: bool = False) -> None:
    for item in items.split():
        queue.add(item, user=item[0], kind=kind, seconds=seconds, interactive=interactive)


def many(user: str, jobs: int) -> str:
    return " ".join(f"{user}{number}" for number in range(jobs))


def filled(items: str, *, seconds: float = 1) -> FairQueue[str]:
    queue: FairQueue[str] = FairQueue()
    fill(queue, items, seconds=seconds)
    return queue


def of_arrivals(arrivals: list[Arrival]) -> FairQueue[str]:
    queue: FairQueue[str] = FairQueue({"a": 3.0})
    for number, (user, kind, seconds, interactive) in enumerate(arrivals):
        queue.add(f"{user}{kind}{number}", user=user, kind=kind, seconds=seconds, interactive=interactive)
    return queue
