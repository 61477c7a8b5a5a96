"""What is attacked: for each reader of a file, the mutations and the command that reads it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .mutate_archives import mutated_tar, mutated_zip
from .mutate_bytes import mutated_bytes
from .mutate_models import mutated_image, mutated_onnx
from .mutate_tensors import (
    canary_pickle,
    mutated_checkpoint,
    mutated_npz,
    mutated_safetensors,
)
from .mutate_values import (
    mutated_csv,
    mutated_json,
    mutated_json_lines,
    mutated_lines,
    mutated_toml,
    mutated_yaml,
)

Change = Callable[[bytes, random.Random], bytes]
# Damage that knows nothing of the format is a quarter of what text files get.
BLIND = 0.25


@dataclass(frozen=True)
class Target:
    """One reader: the honest file, how it is mutated, and the command line that gets it.

    file: the file that is mutated, in the folder of honest files. beside: what else is copied.
    command: its "{}" is the hostile file or the folder that it lies in (`folder`). done: exit codes
    beside 2 that are not fault. share: calls of this target, relative to others.
    """

    name: str
    what: str
    file: str
    change: Change
    command: Sequence[str]
    beside: Sequence[str] = ()
    folder: str = ""
    done: Sequence[int] = (0, 1)
    share: float = 1.0
    needs_canary: bool = False

    @property
    def names(self) -> Sequence[str]:
        """One of these stands in a sentence that refuses the file."""
        path = Path(self.file)
        # After it has been read, a model or a space goes by its own name.
        own = f"{path.stem} has", f"search space {path.stem} "
        return (path.name, *own, *((self.folder,) if self.folder else ()))

    @property
    def honest(self) -> set[str]:
        """The honest files and folders that it needs."""
        return {Path(name).parts[0] for name in (self.file, *self.beside)}

    def prepare(self, honest: Path, work: Path, rng: random.Random, canary: Path) -> list[str]:
        """Write the hostile file into the working folder; return the command's arguments."""
        for name in (*self.beside, *([self.folder] if self.folder else [])):
            _copy(honest / name, work / name)
        place = work / self.file
        place.parent.mkdir(parents=True, exist_ok=True)
        data = (honest / self.file).read_bytes()
        if self.needs_canary:
            place.write_bytes(mutated_checkpoint(data, rng, canary))
        elif rng.random() < 0.01:
            place.write_bytes(canary_pickle(canary, rng))
        else:
            place.write_bytes(self.change(data, rng))
        return [part.format(self.folder or self.file) for part in self.command]


def _copy(source: Path, to: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, to, dirs_exist_ok=True)
    else:
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, to)


def _or_bytes(change: Change) -> Change:
    def mixed(data: bytes, rng: random.Random) -> bytes:
        return (mutated_bytes if rng.random() < BLIND else change)(data, rng)

    return mixed


CSV, JSON, JSON_LINES, TOML, YAML, LINES = map(
    _or_bytes,
    (mutated_csv, mutated_json, mutated_json_lines, mutated_toml, mutated_yaml, mutated_lines),
)
LUT, TINY = ("--table", "lut.csv"), ("--model", "tiny.json")
PREDICT = ("predict", *LUT, "--model", "{}", "--extrapolate")
EVAL = ("eval", "--workers", "0", "--data")
MODEL = (*EVAL, "images.npz", "--batch", "8", "--model")
FAST = ("--sessions", "1", "--runs", "1", "--warmup", "0")
IMPORT = ("table", "import", "{}", "--device", "d", "--out", "out.csv", "--from")
SEARCH = ("--max-latency", "50ms", "--proxy", "macs", "--population", "4", "--generations", "2")
SEARCH = (*SEARCH, "--candidates", "50", "--parents", "2", "--out")


def _table(name: str, *command: str, file: str = "lut.csv", **others: object) -> Target:
    beside = ("tiny.json", *([] if file == "lut.csv" else ["lut.csv"]))
    return Target(name, "tables", file, CSV, command, beside, **others)  # type: ignore[arg-type]


def _all() -> Sequence[Target]:
    weights = ("tiny.json", "images.npz")
    tables = (
        _table("table predict", "predict", "{}", "tiny.json", "--extrapolate", share=3),
        _table("table predict json", "predict", "{}", "tiny.json", "--partial", "--json", share=2),
        _table("table info", "table", "info", "{}", share=2),
        _table("table info json", "table", "info", "{}", "--json", "--unstable"),
        _table("table export", "table", "export", "{}", "--format", "json"),
        _table("table export latex", "table", "export", "{}", "--format", "latex"),
        _table("table export csv", "table", "export", "{}", "--out", "out.csv"),
        _table("table merge", "table", "merge", "{}", "again.csv", "--out", "out.csv", "--force"),
        _table("table compare", "compare", "--table", "{}", *TINY, *TINY, "--out", "out.csv"),
        _table("table blocks", "compare", "--table", "{}", "--table", "again.csv", "--blocks"),
        _table("table calibrate", "calibrate", "--table", "{}", "--out", "out.csv"),
        _table(
            "table gate", "gate", "--table", "{}", *TINY, "--max-latency", "5ms", done=(0, 3, 4)
        ),
        _table("table space", "space", "space.toml", "--table", "{}"),
        _table("table report", "report", "--table", "{}", "--out", "out.html"),
        _table("table push", "table", "push", "{}", "shared", "--licence", "MIT"),
        _table(
            "table probes",
            *("transfer", "--from", "lut.csv", "--probes", "{}", "--out", "out.csv"),
            file="phone.csv",
        ),
        _table(
            "table sources",
            *("transfer", "--from", "{}", "--probes", "phone.csv", "--out", "out.csv"),
            share=0.5,
        ),
        Target(
            *("table pull", "tables", "shared/tables/mine.csv", CSV),
            ("table", "pull", "{}", "--out", "out"),
            folder="shared",
        ),
    )
    tables = tuple(_with_beside(one) for one in tables)
    descriptions = (
        Target("spec predict", "specs", "tiny.json", JSON, PREDICT, ("lut.csv",), share=3),
        Target("space", "spaces", "space.toml", TOML, ("space", "{}"), share=2),
        Target(
            *("space search", "spaces", "space.toml", TOML),
            ("search", "--space", "{}", *LUT, *SEARCH, "out"),
            ("lut.csv",),
        ),
        Target(
            *("pipeline", "configurations", "once.toml", TOML),
            ("pipeline", "--config", "{}", "--out", "out", "--dry-run"),
            ("tiny.json", "model"),
        ),
        Target(
            *("gate", "configurations", "gate.toml", TOML, ("gate", "--config", "{}")),
            ("tiny.json", "lut.csv"),
            done=(0, 3, 4),
        ),
        Target(
            *("devices", "configurations", "devices.toml", TOML),
            ("--devices", "{}", "devices", "--json"),
            share=0.3,
        ),
    )
    imports = (
        Target(
            *("import nnmeter", "imports", "nnmeter.json", JSON),
            (*IMPORT, "nnmeter", "--unit", "ms"),
        ),
        Target("import nvit", "imports", "nvit.json", JSON, (*IMPORT, "nvit", "--unit", "ms")),
        Target("import ofa", "imports", "ofa.yaml", YAML, (*IMPORT, "ofa"), share=2),
        Target("import neusight", "imports", "neusight.csv", CSV, (*IMPORT, "neusight")),
        Target(
            *("timings", "imports", "timings.csv", CSV),
            ("transfer", "--models", "{}", "--target", "little", "--probe", "4"),
            share=0.5,
        ),
    )
    models = (
        Target(
            *("checkpoint", "weights", "tiny.pth", mutated_bytes),
            (*MODEL, "tiny.json", "--checkpoint", "{}"),
            weights,
            needs_canary=True,
            share=2,
        ),
        Target(
            *("safetensors", "weights", "tiny.safetensors", mutated_safetensors),
            (*MODEL, "tiny.json", "--checkpoint", "{}"),
            weights,
        ),
        Target(
            *("folder spec", "model folders", "model/spec.json", JSON, (*MODEL, "{}")),
            ("images.npz",),
            folder="model",
        ),
        Target(
            *("folder weights", "model folders", "model/model.safetensors", mutated_safetensors),
            (*MODEL, "{}"),
            ("images.npz",),
            folder="model",
            share=0.5,
        ),
        Target(
            *("folder preprocessor", "model folders", "model/preprocessor_config.json", JSON),
            (*MODEL, "{}"),
            ("images.npz",),
            folder="model",
        ),
        Target(
            *("hugging face config", "model folders", "hf/config.json", JSON),
            PREDICT,
            ("lut.csv",),
            folder="hf",
            share=2,
        ),
        Target(
            *("onnx predict", "foreign models", "net.onnx", mutated_onnx),
            ("predict", *LUT, "--model", "{}", "--partial"),
            ("lut.csv",),
            share=2,
        ),
        Target(
            *("onnx breakdown", "foreign models", "net.onnx", mutated_onnx),
            ("breakdown", "--model", "{}", *FAST),
        ),
        Target(
            *("exported program", "foreign models", "net.pt2", mutated_zip),
            ("predict", *LUT, "--model", "{}", "--partial"),
            ("lut.csv",),
            share=0.3,
        ),
        Target(
            *("bundle", "bundles", "bundle.zip", mutated_zip),
            ("measure", "--bundle", "{}", "--sessions", "1", "--out", "out.csv"),
            share=0.5,
        ),
        Target(
            *("bundle manifest", "bundles", "bundle.zip", _sealed(mutated_json)),
            ("measure", "--bundle", "{}", "--sessions", "1", "--out", "out.csv"),
            share=0.5,
        ),
    )
    data = (
        Target(
            *("image", "images", "photos/cat/0.png", mutated_image),
            (*EVAL, "{}", "--model", "model"),
            ("model",),
            folder="photos",
            share=2,
        ),
        Target(
            *("zip of images", "archives", "photos.zip", mutated_zip),
            (*EVAL, "{}", "--model", "model"),
            ("model",),
        ),
        Target(
            *("shard", "archives", "data/train.tar", mutated_tar),
            (*EVAL, "{}", "--model", "model"),
            ("model",),
            folder="data",
        ),
        Target(
            *("npz", "arrays", "images.npz", mutated_npz),
            (*EVAL, "{}", "--model", "model"),
            ("model",),
            share=2,
        ),
        Target(
            *("arrow", "archives", "arrow/data-00000-of-00001.arrow", mutated_bytes),
            (*EVAL, "{}", "--model", "model"),
            ("model",),
            folder="arrow",
            share=0.5,
        ),
        Target(
            *("arrow info", "archives", "arrow/dataset_info.json", JSON),
            (*EVAL, "{}", "--model", "model"),
            ("model",),
            folder="arrow",
            share=0.3,
        ),
        Target(
            *("texts", "texts", "texts.tsv", LINES),
            (*EVAL, "{}", "--model", "bert"),
            ("bert",),
        ),
        Target(
            *("vocabulary", "texts", "bert/vocab.txt", LINES),
            (*EVAL, "texts.tsv", "--model", "{}"),
            ("texts.tsv",),
            folder="bert",
            share=0.5,
        ),
        Target(
            *("tokenizer", "texts", "bert/tokenizer_config.json", JSON),
            (*EVAL, "texts.tsv", "--model", "{}"),
            ("texts.tsv",),
            folder="bert",
            share=0.3,
        ),
    )
    report = ("report", *LUT, "--out", "out.html")
    runs = (
        Target(
            *("run report", "saved runs", "found/report.json", JSON),
            (*report, "--run", "{}"),
            ("lut.csv",),
            folder="found",
        ),
        Target(
            *("run export", "saved runs", "found/report.json", JSON),
            ("table", "export", "{}", "--format", "markdown"),
            folder="found",
        ),
        Target(
            *("run front", "saved runs", "found/front.csv", CSV),
            (*report, "--run", "{}"),
            ("lut.csv",),
            folder="found",
            share=0.5,
        ),
        Target(
            *("run log", "saved runs", "found/evaluations.jsonl", JSON_LINES),
            ("search", "--space", "space.toml", *LUT, *SEARCH, "{}"),
            ("lut.csv", "space.toml"),
            folder="found",
        ),
        Target(
            *("breakdown", "reports", "breakdown.json", JSON),
            (*report, "--breakdown", "{}"),
            ("lut.csv",),
        ),
        Target(
            *("base result", "reports", "bench.json", JSON),
            ("gate", "--base-result", "{}", "--head", "tiny.json", "--max-regression", "50%"),
            ("tiny.json",),
            done=(0, 3, 4),
            share=0.3,
        ),
    )
    return (*tables, *descriptions, *imports, *models, *data, *runs)


def _with_beside(target: Target) -> Target:
    """Add what the command names beside the hostile file."""
    named = [name for name in ("space.toml", "phone.csv", "again.csv") if name in target.command]
    return replace(target, beside=(*target.beside, *named)) if named else target


def _sealed(change: Change) -> Change:
    """Mutate a bundle's manifest and seal the bundle again, as whoever builds one can."""

    def mutated(data: bytes, rng: random.Random) -> bytes:
        import tempfile

        from vitprof.profiler.bundle.zip_file import MANIFEST, new_zip

        from .mutate_archives import entries_of

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "b.zip"
            with new_zip(path) as add:
                for name, content in entries_of(data):
                    add(name, change(content, rng) if name == MANIFEST else content)
            return path.read_bytes()

    return mutated


TARGETS = {target.name: target for target in _all()}
