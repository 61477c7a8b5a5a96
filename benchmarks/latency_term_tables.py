"""The cases of the study of the latency term: measured tables, and those of other tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from fidelity import vitprof
from latency_term_case import Case, macs_of
from vitprof import LatencyTable, create_spec
from vitprof.compress.groups import Groups
from vitprof.compress.nvit.importance import Importance
from vitprof.compress.targets import floors_of
from vitprof.errors import UserError
from vitprof.models import Block, Spec, SwinSpec
from vitprof.models.families.swin.spec import SwinStage
from vitprof.models.families.vit.spec import ViTLayer
from vitprof.models.structures.prunable import prunable_of
from vitprof.models.structures.structure import Kind
from vitprof.tables.importers import import_table
from vitprof.tables.whole_layers import as_whole_layers

# Settings of this machine, and how `vitprof measure` is asked for them.
MEASURED = {
    "fp32": (),
    "int8": ("--dtype", "int8"),
    "2 threads": ("--threads", "2"),
    "batch 64": ("--batch", "64"),
    "int8, batch 64": ("--dtype", "int8", "--batch", "64"),
    "2 threads, batch 64": ("--threads", "2", "--batch", "64"),
}
OPTIN_KINDS: tuple[Kind, ...] = ("heads", "mlp")


@dataclass(frozen=True)
class Drawn:
    """Scores of a model that is not trained: exponential, so that a few units matter most.

    A head scores as much as a group of neurons of about its MACs does.
    """

    seed: int

    def scores(self, spec: Spec, kinds: Sequence[Kind], floors: dict[str, int]) -> dict:
        rng = np.random.default_rng(self.seed)
        found = {}
        for s in prunable_of(spec).structures(spec, True):
            if s.kind not in kinds or s.name not in floors or s.units == floors[s.name]:
                continue
            without = prunable_of(spec).with_units(spec, {s.name: floors[s.name]})
            macs = float(macs_of([spec])[0] - macs_of([without])[0])
            mean = macs / (s.units - floors[s.name])
            # Layers differ in how much they matter, too.
            drawn = rng.exponential(mean, s.units) * 2.0 ** rng.normal()
            found[s.name] = torch.tensor(drawn)
        return found

    def importance(self, spec: Spec, floors: dict[str, int]) -> Importance:
        kinds: tuple[Kind, ...] = ("embed", "heads", "qk", "v", "mlp")
        return Importance("random", of=self.scores(spec, kinds, floors))


def table_at(folder: Path, base: str, setting: str, may_measure: bool) -> LatencyTable | None:
    """Return this machine's table in a setting, measured or finished if need be."""
    path = folder / f"{setting.replace(', ', '-').replace(' ', '_')}.csv"
    found = LatencyTable.read_csv(path) if path.exists() else None
    if may_measure and (found is None or found.unfinished):
        # Goes on from what is there.
        vitprof("measure", "--model", base, *MEASURED[setting], "--out", str(path))
        found = LatencyTable.read_csv(path)
    return found


def nvit_case(path: str, seed: int) -> Case:
    """Return a DeiT-B under NViT's own table; its layers, for the file has nothing else."""
    # The file states no unit; by their size its numbers are seconds.
    table = import_table("nvit", path, device="nvit", unit="s").table
    spec = create_spec("deit-base")

    @cache
    def of_block(block: Block) -> float:
        return table.predict_block(block).ms

    def ms_of(specs: Sequence[Spec]) -> np.ndarray:
        layers = ([b for b in as_whole_layers(s.blocks()) if b.op == "layer"] for s in specs)
        return np.array([sum(map(of_block, blocks)) for blocks in layers])

    groups, floors = Groups.of("embed=64,qk=16,v=16,heads=1,mlp=128", 12), {}
    prunable = prunable_of(spec)
    for s in prunable.structures(spec, True):
        floors[s.name] = s.units
        while count := groups.next_group(s.kind, floors[s.name]):
            try:
                ms_of([prunable.with_units(spec, {s.name: floors[s.name] - count})])
            except UserError:
                break
            floors[s.name] -= count
    drawn = Drawn(seed)
    scores = drawn.scores(spec, OPTIN_KINDS, floors)
    importance = drawn.importance(spec, floors)
    return Case("NViT's GPU", spec, ms_of, groups, floors, scores, importance)


# What a phone's blocks make up: four stages, as a Swin has them, of widths that the file has.
PHONE_MAPS, PHONE_WIDTHS, PHONE_DEPTHS = (32, 16, 8, 4), (64, 128, 192, 256), (2, 2, 6, 2)
# Expansions in the file: pruning goes from the last down to the first.
EXPANSIONS = (2, 3, 4)
HEAD_DIMS = 32


def phone_case(path: str, seed: int) -> Case:
    """Return a model of four stages under nn-Meter's table of a Pixel 6.

    What can go: hidden neurons (the expansion of an FFN), and V dims (we take the expansion of an
    attention for V's width over the embedding, as NASViT has it; attention is over the whole map).
    Heads are not in the file. Between expansions a block is priced on the line.
    """
    table = import_table("nnmeter", path, device="pixel6", unit="ms").table

    def curve(op: str, place: int) -> list[float]:
        dims = {"resolution": PHONE_MAPS[place], "embed": PHONE_WIDTHS[place]}
        blocks = [Block.of(op, **dims, expansion=expansion) for expansion in EXPANSIONS]
        return [table.predict_block(block).ms for block in blocks]

    ffn, attention = (
        [curve(f"nnmeter_{op}", place) for place in range(4)] for op in ("transffn", "transattn")
    )

    def ms_of(specs: Sequence[Spec]) -> np.ndarray:
        found = np.zeros(len(specs))
        for nth, spec in enumerate(specs):
            for place, stage in enumerate(spec.stages):  # type: ignore[attr-defined]
                mlp = [layer.mlp / stage.embed for layer in stage.layers]
                v = [layer.heads * layer.v / stage.embed for layer in stage.layers]
                found[nth] += np.interp(mlp, EXPANSIONS, ffn[place]).sum()
                found[nth] += np.interp(v, EXPANSIONS, attention[place]).sum()
        return found

    spec = _phone_spec()
    floors = {}
    for s in prunable_of(spec).structures(spec, True):
        if s.kind in ("mlp", "v"):
            floors[s.name] = s.units * EXPANSIONS[0] // EXPANSIONS[-1]
    scores = Drawn(seed).scores(spec, ["mlp", "v"], floors)
    importance = Importance("random", of=dict(scores))
    groups = Groups.of("mlp=16,v=8", 2)
    return Case("Pixel 6", spec, ms_of, groups, floors, scores, importance)


def _phone_spec() -> SwinSpec:
    stages = []
    for width, depth in zip(PHONE_WIDTHS, PHONE_DEPTHS, strict=True):
        widest = EXPANSIONS[-1]
        layer = ViTLayer(width // HEAD_DIMS, HEAD_DIMS, widest * HEAD_DIMS, widest * width)
        stages.append(SwinStage(width, (layer,) * depth))
    side = PHONE_MAPS[0]
    return SwinSpec(stages=tuple(stages), window=side, resolution=4 * side, name="phone-stages")


def swin_case(path: str, seed: int) -> Case:
    """Return a Swin-T under a table of this machine."""
    table, spec = LatencyTable.read_csv(path), create_spec("swin-tiny")
    groups = Groups.of("heads=1,mlp=16", 3)
    floors = floors_of(spec, table, groups, kinds=OPTIN_KINDS)
    scores = Drawn(seed).scores(spec, OPTIN_KINDS, floors)
    return Case(
        f"Swin-T, {table.setting.dtype}",
        spec,
        table.predict_many,
        groups,
        floors,
        scores,
        Importance("random", of=dict(scores)),
    )


def drawn_cases(
    nvit: str | None, phone: str | None, swin: str | None, seeds: Sequence[int]
) -> Iterator[list[Case]]:
    """Give for every table of an untrained model its cases, one a seed."""
    for path, case in ((nvit, nvit_case), (phone, phone_case), (swin, swin_case)):
        if path:
            yield [case(path, seed) for seed in seeds]
