"""Modules of programs that were read before."""

from __future__ import annotations

import torch
from vitprof.backends.pytorch.loaded import LoadedPrograms


class Reading:
    """Makes a layer, and counts how often it is asked to."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> torch.nn.Module:
        self.times += 1
        return torch.nn.Linear(3, 3)


def test_a_program_is_read_once_and_each_copy_has_weights_of_its_own() -> None:
    programs, read = LoadedPrograms(), Reading()
    first, second = (programs.copy_of(b"program", read) for _ in range(2))
    assert read.times == 1
    assert torch.equal(first.weight, second.weight)
    assert first.weight.data_ptr() != second.weight.data_ptr()
    with torch.no_grad():
        first.weight.zero_()
    assert torch.equal(programs.copy_of(b"program", read).weight, second.weight)


def test_what_was_used_longest_ago_leaves_first() -> None:
    programs, read = LoadedPrograms(limit=8), Reading()
    for program in (b"1234", b"5678", b"1234", b"abcd", b"1234"):
        programs.copy_of(program, read)
    assert read.times == 3
    programs.copy_of(b"5678", read)
    assert read.times == 4


def test_a_program_beyond_the_limit_is_not_kept() -> None:
    programs, read = LoadedPrograms(limit=3), Reading()
    programs.copy_of(b"1234", read)
    programs.copy_of(b"1234", read)
    assert read.times == 2
