"""Patterns of a topic exchange: which keys they match, and whether an event can ever have such a key. Pure.

A key is words with dots between. In a pattern `*` stands for one word, `#` for any number of them, none included.
"""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from itertools import zip_longest
from typing import Final, TypeVar, get_args

from bus.events import BridgeStatus, JobState, VmState

ONE: Final = "*"
ANY: Final = "#"
JOBS: Final = ("job.#",)
QUIET: Final = (*JOBS, *(f"vm.{state}.*" for state in get_args(VmState)))
"""Everything but what is said once a second: heartbeats, and what routers and bridges say of themselves."""
KEYS: Final = "job.<state>.<operation>, vm.<state>.<name>, vm.heartbeat.<name>, router.status and bridge.<state>"

Words = Sequence[str]
_JOB: Final[tuple[Words, ...]] = (("job",), get_args(JobState), ())
"""What each word of a key may be; where it may be anything, nothing is named."""
_SHAPES: Final[tuple[tuple[Words, ...], ...]] = (
    _JOB,
    (("vm",), (*get_args(VmState), "heartbeat"), ()),
    (("router",), ("status",)),
    (("bridge",), get_args(BridgeStatus.model_fields["state"].annotation)),
)
_Word = TypeVar("_Word")


def words_of(key: str) -> list[str]:
    """The words of a key or a pattern; none of an empty one."""
    return key.split(".") if key else []


def matches(pattern: str, key: str) -> bool:
    """Whether a topic exchange would route a message with this key by this pattern."""
    return _matches(words_of(pattern), words_of(key), lambda wanted, word: wanted in {ONE, word})


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a key is matched by any of the patterns; it remembers the keys it has met."""
    chosen = tuple(patterns)

    @lru_cache(4096)
    def wanted(key: str) -> bool:
        return any(matches(pattern, key) for pattern in chosen)

    return wanted


def can_match(pattern: str) -> bool:
    """Whether any event can have a key that the pattern matches."""
    words = words_of(pattern)
    # An operation is as its caller named it, dots and all: such a key is as long as anybody likes.
    shapes = (*_SHAPES, *((*_JOB, *[()] * more) for more in range(1, len(words))))
    return any(_matches(words, shape, _may_be) for shape in shapes)


def nearest(pattern: str) -> str:
    """The pattern as it may have been meant: one that can match, and looks most like it."""
    meant = [
        ".".join(_fitted(word, options) for word, options in zip_longest(_cut(pattern, shape), shape, fillvalue=""))
        for shape in _SHAPES
    ]
    return get_close_matches(pattern, meant, 1, 0.0)[0]


def _may_be(wanted: str, options: Words) -> bool:
    return wanted == ONE or not options or wanted in options


def _cut(pattern: str, shape: Sequence[Words]) -> list[str]:
    return words_of(pattern)[: len(shape)]


def _fitted(word: str, options: Words) -> str:
    """A word that fits: itself, else the most like it, else the only one there is, else any."""
    if word and word != ANY and _may_be(word, options):
        return word
    close = get_close_matches(word, options, 1)
    return close[0] if close else options[0] if len(options) == 1 else ONE


def _matches(pattern: Words, key: Sequence[_Word], same: Callable[[str, _Word], bool]) -> bool:
    """Whether the words fit, in pattern times key steps at the most, whatever the number of `#`."""
    fits = [True] + [False] * len(key)  # whether what was read of the pattern matches the first n words of the key
    for wanted in pattern:
        if wanted == ANY:
            first = fits.index(True) if True in fits else len(fits)
            fits = [n >= first for n in range(len(fits))]
        else:
            fits = [False, *(before and same(wanted, word) for before, word in zip(fits[:-1], key, strict=True))]
    return fits[-1]
