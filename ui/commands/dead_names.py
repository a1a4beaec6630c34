"""Which dead letters an operator means by what he typed. Pure."""

from typing import Final

from bus.errors import OverspillError
from producers.letter import Letter
from ui.commands.dead_view import name_of
from ui.commands.wording import printable

_LEAST_DIGITS: Final = 4


def named(ids: list[str], letters: list[Letter]) -> list[Letter]:
    """The letters that these ids, beginnings of ids, or jobs name, each once.

    Raises OverspillError for one that names none, or several.
    """
    meant: dict[str, Letter] = {}
    for given in ids:
        found = _called(given, letters)
        if not found and len(given) < _LEAST_DIGITS:
            raise OverspillError(f"{printable(given)!r} is too short: give {_LEAST_DIGITS} digits of the id or more.")
        if not found:
            raise OverspillError(f"There is no dead job {printable(given)}. `overspill dead list` shows what there is.")
        if len(found) > 1:
            which = "\n".join(printable(f"  {name_of(letter)}: {letter.reason}") for letter in found.values())
            raise OverspillError(
                f"{len(found)} dead jobs may be meant by {printable(given)}; name one by its id:\n{which}"
            )
        meant |= found
    return list(meant.values())


def _called(given: str, letters: list[Letter]) -> dict[str, Letter]:
    """The letters whose own id begins so, or whose job's id is that, by their own ids."""
    by_digits = len(given) >= _LEAST_DIGITS
    return {
        letter.id: letter for letter in letters if letter.job == given or (by_digits and letter.id.startswith(given))
    }
