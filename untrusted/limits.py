"""How much a file may ask for, and what lifts each limit.

Every limit has a default that no honest file has come near, and a variable of the environment that
lifts it: the error names both.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import UserError
from ..quantities import bytes_of


@dataclass(frozen=True)
class Limit:
    """A most, the variable that sets another one, and whether it counts bytes."""

    variable: str
    default: int
    in_bytes: bool = False

    def most(self, own: int | None = None) -> int:
        """Return the most: `own` or the default; what the variable says counts before both.

        Raises UserError where the variable holds no number above 0.
        """
        given = os.environ.get(self.variable)
        if not given:
            return self.default if own is None else own
        return _bytes(given, self.variable) if self.in_bytes else _count(given, self.variable)

    def check(self, asked: int, what: str, own: int | None = None) -> None:
        """Raise UserError for more than the most: "`what` has 9 items, more than 5 ...".

        what: begins the sentence, with its verb: "'a.json' has".
        """
        most = self.most(own)
        if asked > most:
            raise UserError(
                f"{what} {self._shown(asked)}, more than {self._shown(most)}; "
                f"{self.variable}={self._lifting(asked)} lifts the limit."
            )

    def _shown(self, number: int) -> str:
        return in_bytes(number) if self.in_bytes else f"{number:,}"

    def _lifting(self, asked: int) -> str:
        return in_bytes(asked).replace(" ", "") if self.in_bytes else str(asked)


def in_bytes(number: int) -> str:
    """Return "1.5 GiB", rounded up, so that it is never less than what was asked."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if number >= size:
            tenths = -(-number * 10 // size)
            return f"{tenths / 10:g} {unit}"
    return f"{number} B"


def _bytes(text: str, variable: str) -> int:
    try:
        return int(bytes_of(text))
    except UserError as error:
        raise UserError(f"{variable}: {error}") from None


def _count(text: str, variable: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 19 and int(text)):
        raise UserError(f"{variable}={text!r} is not a whole number above 0; correct or unset it.")
    return int(text)


FILE_BYTES = Limit("VITPROF_LARGEST_FILE", 64 * 2**20, in_bytes=True)
# Of what a zip unpacks to; one of photos is checked image by image.
UNPACKED_BYTES = Limit("VITPROF_LARGEST_UNPACKED", 16 * 2**30, in_bytes=True)
ITEMS = Limit("VITPROF_MOST_ITEMS", 2_000_000)
DEPTH = Limit("VITPROF_DEEPEST", 64)
PIXELS = Limit("VITPROF_MOST_PIXELS", 64_000_000)
CLASSES = Limit("VITPROF_MOST_CLASSES", 262_144)
THREADS = Limit("VITPROF_MOST_THREADS", max(64, 4 * (os.cpu_count() or 1)))
# Processes of one command.
JOBS = Limit("VITPROF_MOST_JOBS", max(64, 4 * (os.cpu_count() or 1)))
# Of one run of a model of somebody else, loading included.
TRIAL_SECONDS = Limit("VITPROF_LONGEST_TRIAL", 120)
# Models, points or samples of one command.
RUNS = Limit("VITPROF_MOST_RUNS", 10_000_000)


def check_jobs(jobs: int) -> None:
    """Raise UserError for a number of processes below 1, or beyond the limit."""
    if jobs < 1:
        raise UserError(f"`jobs` is {jobs}; it has to be 1 or more.")
    JOBS.check(jobs, "`jobs` is")
