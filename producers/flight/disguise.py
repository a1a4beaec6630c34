"""A recording that can be given away: names that are people's own become pseudonyms. Pure.

Users and job ids become short hashes, the same throughout one recording and, by its secret salt, in no other. What
callers wrote themselves goes: an operation that does not exist, and free text.
"""

import hashlib
from dataclasses import replace
from typing import Final

from bus.problems import Kind
from producers.flight.recording import Line, RecordedJob, RecordedState

_UNKNOWN_OPERATION: Final = Kind.UNKNOWN_OPERATION.value.slug
_DIGITS: Final = 16


def disguised(line: Line, salt: bytes) -> Line:
    """A line without the names that are anybody's; `salt` is up to 64 random bytes, to be kept nowhere."""
    match line:
        case RecordedJob():
            return replace(
                line,
                id=_pseudonym(f"{line.user}/{line.id}", salt),
                user=f"user-{_pseudonym(line.user, salt)}",
                operation="unknown" if line.problem == _UNKNOWN_OPERATION else line.operation,
            )
        case RecordedState():
            return replace(line, reason=None)
        case _:
            return line


def _pseudonym(name: str, salt: bytes) -> str:
    digest = hashlib.blake2b(name.encode(errors="surrogatepass"), key=salt, digest_size=_DIGITS // 2)
    return digest.hexdigest()
