"""Draw docs/images/terminal.svg: what commands of vitprof print, as a terminal shows it.

    python docs/pictures/terminal.py lut.csv

The commands below are run, and their own output is drawn. The picture names no font file, so that
showing it needs no network.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

OUT = Path(__file__).resolve().parents[1] / "images/terminal.svg"
COLUMNS = 104
# A command, and from where to where its output is shown: the rest is cut, as by head.
COMMANDS = (("vitprof predict lut.csv deit-small --max-latency 150ms", 21),)
# Rich's own picture of a terminal without its @font-face, which would be fetched.
PICTURE = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
  <style>
    .{unique_id}-matrix {{
      font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
      font-size: {char_height}px;
      line-height: {line_height}px;
    }}
    .{unique_id}-title {{ font-family: sans-serif; font-size: 18px; }}
    {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">{matrix}</g>
  </g>
</svg>
"""


def main() -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
    vitprof = str(Path(sys.executable).parent / "vitprof")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(sys.argv[1], Path(folder) / "lut.csv")
        for command, lines in COMMANDS:
            completed = subprocess.run(  # noqa: S603 - the commands above
                [vitprof, *command.split()[1:]],
                cwd=folder,
                env={**os.environ, "COLUMNS": str(COLUMNS)},
                capture_output=True,
                text=True,
                check=False,
            )
            console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
            printed = [line.rstrip() for line in completed.stdout.splitlines()]
            for before, line in zip(["", *printed], printed[:lines], strict=False):
                if line or before:
                    console.print(Text(line, "green" if line.startswith("Fits") else ""))
    OUT.write_text(console.export_svg(title="vitprof", theme=MONOKAI, code_format=PICTURE))


if __name__ == "__main__":
    main()
