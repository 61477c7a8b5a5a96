"""Every command line that README.md and docs/ print is one that vitprof, as it is, can parse."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest
from doc_commands.collect import (
    ROOT,
    CommandLine,
    Fence,
    all_command_lines,
    all_fences,
    command_lines,
    fences,
    inline_commands,
    left_over,
    pages,
)
from doc_commands.parsed import parse, shelled, unknown_words

LINES = all_command_lines()
# The options of a method that a page's example adds; they exist where that wheel is installed.
OF_ANOTHER_METHOD = re.compile(r"--method halves\b")


def test_no_line_that_looks_like_a_command_is_left_out() -> None:
    assert [text for fence in all_fences() for text in left_over(fence)] == []


@pytest.mark.parametrize("page", sorted({line.page for line in LINES}))
def test_each_command_exists_with_its_options_and_values(page: str) -> None:
    wrong = []
    for line in LINES:
        arguments = shelled(line.text).arguments
        if line.page != page or arguments is None:
            continue
        try:
            parse(arguments)
        except (click.UsageError, click.exceptions.Exit) as error:
            said = error.format_message() if isinstance(error, click.UsageError) else "ended"
            wrong.append(f"{line.place}: {line.text}: {said}")
    assert wrong == []


def test_what_is_no_vitprof_command_exists_too() -> None:
    wrong = [line.place + ": " + line.text for line in LINES if not of_another_program(line)]
    assert wrong == []


def of_another_program(line: CommandLine) -> bool:
    """Whether a command of another program names what this repository has."""
    command = shelled(line.text)
    if command.arguments is not None:
        return True
    words = list(command.words[1:])
    match command.program:
        case "make":
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            exists = set(words) <= set(targets)
        case "pip":
            project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
            wanted = re.findall(r"\[([\w,-]+)\]", " ".join(words))
            named = {extra for group in wanted for extra in group.split(",")}
            exists = words[0] == "install" and named <= set(project["optional-dependencies"])
        case "python" | "python3" | "python3.11":
            script = ROOT / words[0]
            options = [word.partition("=")[0] for word in words if word.startswith("--")]
            exists = words[:2] in (["-m", "pip"], ["-m", "venv"], ["-m", "build"]) or (
                script.is_file() and all(has_option(script, option) for option in options)
            )
        case "model-explorer":  # tests/cli/commands/test_model_explorer.py runs it with these
            options = [word for word in words if word.startswith("--")]
            exists = set(options) <= {"--node_data_paths", "--extensions"}
        case program:
            exists = program in ("ray", "hf", "git", "cd", "source", "docker")
    return exists


def has_option(script: Path, option: str) -> bool:
    """Whether a script, or a package beside it that it imports, adds an option."""
    packages = re.findall(r"^from (\w+)", script.read_text(), re.MULTILINE)
    sources = [script, *(file for name in packages for file in script.parent.glob(f"{name}/*.py"))]
    return any(f'"{option}"' in source.read_text() for source in sources)


def test_commands_in_sentences_exist_with_their_options() -> None:
    wrong = {
        f"{line.place}: {line.text}": unknown
        for path in pages()
        for line in inline_commands(path)
        if (unknown := unknown_words(line.text)) and not OF_ANOTHER_METHOD.search(line.text)
    }
    assert wrong == {}


PAGE = """
Text with `vitprof predict lut.csv`.

```
$ vitprof measure --time 1m \\
    --out lut.csv   # a comment
101 points
$ X=1 vitprof predict lut.csv deit-small --json | jq .fits
vitprof: no such thing.
```

=== "tab"

    ```console
    vitprof bench --model m > out.json

    pip install '.[train]'
    ```

```python
import vitprof
```
"""


def test_a_page_is_read_as_a_shell_reads_it() -> None:
    found = [line for fence in fences(PAGE, "p.md") for line in command_lines(fence)]
    assert [(line.line, line.text) for line in found] == [
        (5, "vitprof measure --time 1m --out lut.csv   # a comment"),
        (8, "X=1 vitprof predict lut.csv deit-small --json | jq .fits"),
        (15, "vitprof bench --model m > out.json"),
        (17, "pip install '.[train]'"),
    ]
    assert [line.shows_an_error for line in found] == [False, True, False, False]
    first, second, third, _ = (shelled(line.text) for line in found)
    assert first.arguments == ["measure", "--time", "1m", "--out", "lut.csv"]
    assert second.arguments == ["predict", "lut.csv", "deit-small", "--json"]
    assert (third.arguments, third.to) == (["bench", "--model", "m"], "out.json")


def test_a_wrong_line_is_found(tmp_path: Path) -> None:
    for wrong in ("predict --no-such lut.csv", "predictt lut.csv", "bench --batch many"):
        with pytest.raises(click.UsageError):
            parse(wrong.split())
    hidden = Fence("p.md", "text", 1, ("  vitprof predict lut.csv deit-small",))
    assert list(left_over(hidden)) == ["p.md:1:   vitprof predict lut.csv deit-small"]
    assert unknown_words("vitprof predict --no-such") == ["--no-such"]
    assert unknown_words("vitprof forecast") == ["forecast"]
    assert not of_another_program(CommandLine("p.md", 1, "make no-such-target"))
    assert not of_another_program(CommandLine("p.md", 1, "pip install '.[no-such]'"))
