"""Preloaded libraries, made by the machine's C compiler where they are not there yet."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path


def compiled(source: Path, folder: Path) -> Path:
    """Return the library of a C file, made in the folder once for each text of it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("hardening.py: these parts need a C compiler (cc).")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    made = folder / f"{source.stem}-{digest}.so"
    if not made.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{made.name}.{os.getpid()}"
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(part), str(source), "-ldl"]
        subprocess.run(command, check=True)
        part.replace(made)
    return made
