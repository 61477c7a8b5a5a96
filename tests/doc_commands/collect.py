"""Find the command lines and the Python blocks that Markdown pages print in fences."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELLS = ("sh", "bash", "shell", "console")
# What a line of a fence without a language starts with where the fence is a shell's.
PROGRAMS = re.compile(
    r"(?:[A-Z_]+=\S+ )*"
    r"(?:\S*/)?(?:vitprof|make|pip|pipx|python[0-9.]*|torchrun|hf|ray|eval|git|cd|export|source|docker)"
    r"(?: |$)"
)
VITPROF = re.compile(r"(?:\S*/)?vitprof [a-z-]")
INLINE = re.compile(r"`(vitprof [^`]+)`")


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language ("" if none), the number of its first line, and its lines."""

    page: str
    language: str
    first: int
    lines: tuple[str, ...]

    @property
    def is_shell(self) -> bool:
        if any(line.startswith("$ ") for line in self.lines):
            return True
        if self.language:
            return self.language in SHELLS
        texts = [line for line in self.lines if line.strip() and not line.startswith("#")]
        return bool(texts) and PROGRAMS.match(texts[0]) is not None


@dataclass(frozen=True)
class CommandLine:
    """A command as printed, with its continuation lines joined, and what is printed below it."""

    page: str
    line: int
    text: str
    output: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def shows_an_error(self) -> bool:
        """Whether what is printed below is vitprof's refusal."""
        return any(line.startswith("vitprof: ") for line in self.output)


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def fences(text: str, page: str) -> list[Fence]:
    """Return the fenced blocks of a page, those indented in lists and tabs too."""
    found: list[Fence] = []
    opened: tuple[str, str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"\s*(`{3,}|~{3,})\s*\{?\.?([\w+-]*)", line)
        if fence is None or (opened is not None and not fence[1].startswith(opened[0])):
            lines.append(line)
        elif opened is None:
            opened, lines = (fence[1], fence[2], number + 1), []
        else:
            inside = tuple(textwrap.dedent("\n".join(lines)).splitlines())
            found.append(Fence(page, opened[1], opened[2], inside))
            opened = None
    assert opened is None, f"{page}: the fence before line {opened[2]} is never closed"
    return found


def command_lines(fence: Fence) -> list[CommandLine]:
    """Return the commands of a shell's fence; after a `$ ` come outputs, else each is a command."""
    if not fence.is_shell:
        return []
    prompted = any(line.startswith("$ ") for line in fence.lines)
    found: list[CommandLine] = []
    numbered = iter(enumerate(fence.lines, fence.first))
    for number, line in numbered:
        if prompted and not line.startswith("$ "):
            if found:
                last = found.pop()
                found.append(CommandLine(last.page, last.line, last.text, (*last.output, line)))
            continue
        text = line.removeprefix("$ ")
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        while text.endswith("\\"):
            text = text[:-1].rstrip() + " " + next(numbered)[1].strip()
        found.append(CommandLine(fence.page, number, text))
    return found


def all_fences() -> list[Fence]:
    return [
        fence
        for path in pages()
        for fence in fences(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
    ]


def all_command_lines() -> list[CommandLine]:
    return [line for fence in all_fences() for line in command_lines(fence)]


def left_over(fence: Fence) -> Iterator[str]:
    """Return lines that look like a command of vitprof and that no command line holds."""
    texts = " ".join(line.text for line in command_lines(fence))
    for number, line in enumerate(fence.lines, fence.first):
        bare = line.strip().removeprefix("$ ")
        if VITPROF.match(bare) and " ".join(bare.rstrip("\\").split()) not in " ".join(
            texts.split()
        ):
            yield f"{fence.page}:{number}: {line}"


def inline_commands(path: Path) -> Iterator[CommandLine]:
    """Return the commands that stand in the text as `vitprof ...`."""
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        for found in INLINE.findall(line):
            yield CommandLine(str(path.relative_to(ROOT)), number, found)
