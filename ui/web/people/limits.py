"""How much one caller may ask for: in a minute, at a time, and how long to wait after wrong passwords. Pure.

Times are seconds of any one clock that never goes back. Every table here is bounded, however many callers there are.
"""

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

MINUTE_S: Final = 60.0
MOST_KEYS: Final = 100_000
"""Callers that a table remembers: some 20 MB of them."""
_EARLY_S: Final = 1e-6
"""How much too early still counts as in time, so that sums of floating-point numbers refuse nobody who waited."""
_SWEEP: Final = 1024
_KNOWN_S: Final = 30 * 86_400.0
"""How long an address counts as one that a name logs in from."""
_Value = TypeVar("_Value")


class _Bounded(Generic[_Value]):
    """A table of callers that forgets those of no more interest, and the least interesting when it is full.

    Args:
        interest: Until when a value matters, seconds; the larger, the longer it is kept.
        most: Callers remembered.
    """

    def __init__(self, interest: Callable[[_Value], float], most: int) -> None:
        self._interest, self._most = interest, most
        self._values: dict[Hashable, _Value] = {}
        self._sweep_at = min(_SWEEP, most)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> _Value | None:
        return self._values.get(key)

    def forget(self, key: Hashable) -> None:
        self._values.pop(key, None)

    def put(self, key: Hashable, value: _Value, now: float) -> None:
        self._values[key] = value
        if len(self._values) > self._sweep_at:
            self._sweep(now)

    def _sweep(self, now: float) -> None:
        """Swept when twice as many are known as the last sweep left: O(1) a call on average."""
        self._values = {key: value for key, value in self._values.items() if self._interest(value) > now}
        if len(self._values) > self._most // 2:
            ranked = sorted(self._values, key=lambda key: self._interest(self._values[key]), reverse=True)
            self._values = {key: self._values[key] for key in ranked[: self._most // 2]}
        self._sweep_at = min(self._most, max(_SWEEP, 2 * len(self._values)))


class Rate:
    """A token bucket a caller, kept as the one moment at which it is full again.

    That moment is the "theoretical arrival time" of the generic cell rate algorithm (ITU-T I.371): whatever is taken
    puts it off by its share of a minute, and what would put it off beyond a minute from now is too much.

    Args:
        per_minute: What a caller may take in a minute, on average and at once.
        most_keys: Callers remembered.
    """

    def __init__(self, per_minute: int, most_keys: int = MOST_KEYS) -> None:
        self.per_minute = per_minute
        self._each_s = MINUTE_S / per_minute
        self._full_at = _Bounded[float](lambda full_at: full_at, most_keys)

    def __len__(self) -> int:
        """Callers remembered."""
        return len(self._full_at)

    def take(self, key: Hashable, now: float, cost: int = 1) -> float:
        """Take `cost` of a minute's share: 0, or the seconds to wait before it would pass; then nothing was taken."""
        full_at = max(self._full_at.get(key) or now, now) + cost * self._each_s
        early_s = full_at - now - MINUTE_S
        if early_s > _EARLY_S:
            return early_s
        self._full_at.put(key, full_at, now)
        return 0.0


class AtATime:
    """How many of something a caller has under way, and no more than `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._under_way: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        """Callers with something under way."""
        return len(self._under_way)

    def enter(self, key: Hashable) -> bool:
        """Whether one more may begin; it then counts until `leave`."""
        if self._under_way[key] >= self.most:
            return False
        self._under_way[key] += 1
        return True

    def leave(self, key: Hashable) -> None:
        """One has ended."""
        self._under_way[key] -= 1
        if self._under_way[key] <= 0:
            del self._under_way[key]


class Tries:
    """Waits that double with each try that failed, beyond the first few.

    A try counts as failed from its beginning until it is told to have succeeded: tries made at once can't share one.

    Args:
        free: Tries that cost no wait.
        longest_s: The longest wait, seconds.
        most_keys: Callers remembered.
    """

    FORGOTTEN_S: Final = 3600.0
    """After so long without a try, all are free again."""

    def __init__(self, free: int, longest_s: float, most_keys: int = MOST_KEYS) -> None:
        self._free, self._longest_s = free, longest_s
        self._tried = _Bounded[tuple[int, float]](lambda tried: tried[1] + self.FORGOTTEN_S, most_keys)

    def __len__(self) -> int:
        """Callers remembered."""
        return len(self._tried)

    def wait_s(self, key: Hashable, now: float) -> float:
        """Seconds before the next try may begin, 0 when it may now."""
        tries, last = self._tries(key, now)
        if tries < self._free:
            return 0.0
        # The exponent is bounded: 2.0 ** 1024 is an OverflowError.
        return max(0.0, last + min(self._longest_s, 2.0 ** min(tries - self._free, 64)) - now)

    def began(self, key: Hashable, now: float) -> None:
        """A try begins."""
        tries, _ = self._tries(key, now)
        self._tried.put(key, (tries + 1, now), now)

    def succeeded(self, key: Hashable) -> None:
        """A try was right: those before it are forgiven."""
        self._tried.forget(key)

    def _tries(self, key: Hashable, now: float) -> tuple[int, float]:
        tries, last = self._tried.get(key) or (0, now)
        return (tries, last) if now - last < self.FORGOTTEN_S else (0, now)


class Logins:
    """How soon a login may be tried again: by address, and by name from wherever it is tried.

    Guessing one account's password from many addresses is slowed by the name, guessing at one address by the address.
    So that nobody can keep an owner out by wrong tries, an address from which that name has logged in before waits for
    the wrong tries of that name there, and for no others; nor do these count for anybody else. What all known names of
    an address may try together is bounded too: behind one address there may be a whole office, or who guesses.
    """

    def __init__(self, most_keys: int = MOST_KEYS) -> None:
        self._rate = Rate(30, most_keys)
        self._rate_of_known = Rate(300, most_keys)
        self._by_address = Tries(free=8, longest_s=900.0, most_keys=most_keys)
        self._by_name = Tries(free=8, longest_s=60.0, most_keys=most_keys)
        self._known = _Bounded[float](lambda until: until, most_keys)

    def begin(self, name: str, address: str, now: float) -> float:
        """A try begins: 0, or the seconds to wait before it may; then it does not count."""
        pair = (name, address)
        if self._is_known(name, address, now):
            tables: list[tuple[Tries, Hashable]] = [(self._by_name, pair)]
            rates: list[tuple[Rate, Hashable]] = [(self._rate, pair), (self._rate_of_known, address)]
        else:
            tables, rates = [(self._by_address, address), (self._by_name, name)], [(self._rate, address)]
        wait_s = max(tries.wait_s(key, now) for tries, key in tables)
        wait_s = wait_s or next((wait_s for rate, key in rates if (wait_s := rate.take(key, now))), 0.0)
        if not wait_s:
            for tries, key in tables:
                tries.began(key, now)
        return wait_s

    def succeeded(self, name: str, address: str, now: float) -> None:
        """That try was right."""
        if not self._is_known(name, address, now):
            # Who logs in here daily says nothing of whoever else tries here: that would buy them new guesses.
            self._by_address.succeeded(address)
        self._by_name.succeeded(name)
        self._by_name.succeeded((name, address))
        self._known.put((name, address), now + _KNOWN_S, now)

    def _is_known(self, name: str, address: str, now: float) -> bool:
        return (self._known.get((name, address)) or now) > now
