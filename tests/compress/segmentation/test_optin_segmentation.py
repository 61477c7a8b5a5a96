"""A Mask2Former pruned once: dense equals masked, budgets are kept, folders come back."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from vitprof.compress.groups import Groups
from vitprof.compress.run import TrainingContext
from vitprof.compress.segmentation.data import SegmentationData
from vitprof.compress.segmentation.mask2former import (
    backbone_of,
    backbone_spec,
    load_mask2former,
    with_backbone,
    write_mask2former,
)
from vitprof.compress.segmentation.method import SEGMENTATION
from vitprof.compress.segmentation.optin_segmentation import SegmentationRun
from vitprof.compress.segmentation.options import SegmentationOptions
from vitprof.models import create_model, create_spec
from vitprof.spaces.swin import SwinSlabs
from vitprof.training.data.images import Normalisation
from vitprof.training.data.segmentation_images import find_segmentation_images

from ..conftest import context_of, table_of

torch.set_num_threads(1)  # quicker for models as small as these
NORM = Normalisation((0.5,) * 3, (0.25,) * 3)
GROUPS = Groups.of("mlp=4", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_mask2former_folder) -> Path:
    folder = tmp_path_factory.mktemp("model") / "m2f"
    write_mask2former_folder(folder)
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Any:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for nth in range(4):
        pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{nth}.png")
    found = find_segmentation_images(folder)
    return SegmentationData(found, found, False)


@pytest.fixture
def make_run(folder, images, tmp_path):
    def make(
        share: float, unit: Any = "latency", score="trajectory", only=(), **options: Any
    ) -> SegmentationRun:
        spec = backbone_spec(folder)
        table = table_of(SwinSlabs.covering(spec).blocks(), lambda b: b.macs / 1e6 + 0.01)
        context = context_of(
            load_mask2former(folder),
            TrainingContext(images, NORM),
            tmp_path / "run",
            table,
            f"{share}x",
            unit,
            spec=spec,
            groups=GROUPS,
            only=only,
            kinds=SEGMENTATION.kinds,
            score=score,
        )
        chosen = SegmentationOptions(**{"score_images": 2, "reconstruct": 0, **options})
        return SegmentationRun(context, chosen)

    return make


def cut(run: SegmentationRun) -> tuple[Any, Any]:
    """Return the first target's Mask2Former, and its backbone."""
    swin = run.cut(run.goal.targets[0])
    return with_backbone(run.model, swin), swin


def masked_like(model: Any, run: SegmentationRun, staying: dict[str, torch.Tensor]) -> Any:
    """transformers' own model with the columns of what is gone at zero."""
    masked = copy.deepcopy(model)
    layers = masked.model.pixel_level_module.encoder.swin.encoder.layers
    for name, units in staying.items():
        _, stage, _, layer, _ = name.split(".")
        linear = layers[int(stage)].blocks[int(layer)].mlp.fc2
        gone = torch.ones(linear.in_features, dtype=torch.bool)
        gone[units] = False
        with torch.no_grad():
            linear.weight[:, gone] = 0
    return masked


@pytest.mark.parametrize("unit", ["latency", "macs"])
def test_dense_is_masked_and_the_target_is_kept(make_run, monkeypatch, unit) -> None:
    run = make_run(0.87, unit)
    run.score()
    chosen: dict[str, torch.Tensor] = {}
    from vitprof.compress.optin.mask_search import MaskSearch

    choose = MaskSearch.choose

    def noted(self: MaskSearch, *arguments: Any) -> dict[str, torch.Tensor]:
        chosen.update(choose(self, *arguments))
        return chosen

    monkeypatch.setattr(MaskSearch, "choose", noted)
    dense, swin = cut(run)
    cost = float(run.goal.budget.of([swin.spec])[0])
    assert 0.97 * run.goal.targets[0].cost < cost <= run.goal.targets[0].cost
    widths = [layer.mlp for stage in swin.spec.stages for layer in stage.layers]
    assert widths == [len(units) for units in chosen.values()]
    assert len({*widths}) > 1
    batch = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        masked = masked_like(run.model, run, chosen)(batch)
        found, whole = dense(batch), run.model(batch)
    for name in ("class_queries_logits", "masks_queries_logits"):
        torch.testing.assert_close(found[name], masked[name], rtol=1e-4, atol=1e-5)
    # The masks are not for nothing.
    assert (masked.class_queries_logits - whole.class_queries_logits).abs().max() > 1e-3
    assert sum(p.numel() for p in dense.parameters()) < sum(
        p.numel() for p in run.model.parameters()
    )


def test_fitted_last_layers_come_nearer(make_run) -> None:
    distances = []
    for count in (0, 3):
        run = make_run(0.85, score="magnitude", reconstruct=count)
        run.score()
        dense, swin = cut(run)
        batch = run._images(4)
        with torch.inference_mode():
            distances.append(float((swin(batch) - run.swin(batch)).norm()))
            # The fitted weights are in transformers' model too.
            own = backbone_of(dense, swin.spec)(batch)
            torch.testing.assert_close(own, swin(batch))
    assert distances[1] < 0.8 * distances[0]


def test_only_one_stage_shrinks_and_scores_are_kept(make_run) -> None:
    run = make_run(0.97, only=("stages.2.",))
    run.score()
    assert set(run.scores) == {"stages.2.layers.0.mlp", "stages.2.layers.1.mlp"}
    _, swin = cut(run)
    assert swin.spec.stages[:2] == run.spec.stages[:2]
    assert swin.spec.stages[2] != run.spec.stages[2]
    again = make_run(0.97, only=("stages.2.",))
    errors = {n: torch.stack([x + 1, torch.zeros_like(x)]) for n, x in run.scores.items()}
    run.context.saved.save({"errors": errors})
    again.score()
    for name, score in run.scores.items():
        torch.testing.assert_close(again.scores[name], score + 1)


def test_targets_and_images_that_cannot_be(make_run, images, refused) -> None:
    with refused("out of reach"):
        make_run(0.1)
    with refused("9 images", "use fewer"):
        SEGMENTATION.for_data(SegmentationOptions(score_images=9), images)
    found = SEGMENTATION.for_data(SegmentationOptions(), images)
    assert (found.score_images, found.reconstruct) == (4, 4)


def test_a_pruned_folder_comes_back(make_run, folder, tmp_path) -> None:
    run = make_run(0.87, score="random")
    run.score()
    dense, swin = cut(run)
    out = tmp_path / "out"
    write_mask2former(dense, swin.spec, folder, out)
    assert {path.name for path in out.iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "spec.json",
    }
    assert (out / "config.json").read_bytes() == (folder / "config.json").read_bytes()
    again = load_mask2former(out)
    assert type(again).__name__ == "Mask2FormerForUniversalSegmentation"
    batch = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(
            again(batch).masks_queries_logits, dense(batch).masks_queries_logits
        )
        # The folder is a spec and a checkpoint of the backbone as well.
        assert create_spec(out) == swin.spec
        torch.testing.assert_close(create_model(out, checkpoint=out)(batch), swin(batch))
    # And can be written once more by transformers' own means, and be pruned further.
    again.save_pretrained(tmp_path / "own")
    (tmp_path / "own" / "spec.json").write_text((out / "spec.json").read_text())
    load_mask2former(tmp_path / "own")


def test_broken_folders_are_refused(folder, tmp_path, refused) -> None:
    from safetensors.torch import load_file, save_file

    def copied(name: str, **changes: Any) -> Path:
        path = tmp_path / name
        path.mkdir()
        config = json.loads((folder / "config.json").read_text())
        (path / "config.json").write_text(json.dumps({**config, **changes}))
        return path

    with refused("no config.json"):
        load_mask2former(tmp_path)
    with refused("no model.safetensors"):
        load_mask2former(copied("without"))
    with refused("model_type='maskformer'"):
        load_mask2former(copied("other", model_type="maskformer"))
    weights = load_file(folder / "model.safetensors")
    key = next(name for name in weights if name.endswith("intermediate.dense.weight"))

    def saved(name: str, changed: dict[str, torch.Tensor]) -> Path:
        path = copied(name)
        save_file(changed, path / "model.safetensors")
        return path

    with refused("lacks", "mlp.fc1.weight"):
        load_mask2former(saved("missing", {n: w for n, w in weights.items() if n != key}))
    with refused("unknown", "more"):
        load_mask2former(saved("left-over", {**weights, "more": torch.zeros(1)}))
    with refused("another shape"):
        load_mask2former(saved("narrow", {**weights, key: weights[key][1:].clone()}))
    broken = copied("broken")
    (broken / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:999])
    with refused("truncated"):
        load_mask2former(broken)
    wider = saved("wider", weights)
    record = json.loads(backbone_spec(folder).to_json())
    record["stages"][0]["layers"][0]["mlp"] = 999
    (wider / "spec.json").write_text(json.dumps(record))
    with refused("spec.json", "fewer hidden neurons"):
        load_mask2former(wider)


def test_what_no_output_depends_on_may_be_missing(folder, tmp_path) -> None:
    """As in files of transformers 4, which have tables of positions and no last norm."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    unused = [n for n in weights if n.startswith("criterion.") or ".swin.layernorm." in n]
    assert len(unused) == 3
    stage = "model.pixel_level_module.encoder.encoder.layers.0.blocks.0.attention.self"
    assert f"{stage}.query.weight" in weights
    kept = {name: weight for name, weight in weights.items() if name not in unused}
    kept[f"{stage}.relative_position_index"] = torch.zeros(4, 4, dtype=torch.int64)
    save_file(kept, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    batch = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(
            load_mask2former(tmp_path)(batch).class_queries_logits,
            load_mask2former(folder)(batch).class_queries_logits,
        )


def test_a_config_cannot_name_kernels(folder, tmp_path) -> None:
    path = tmp_path / "kernels"
    path.mkdir()
    config = json.loads((folder / "config.json").read_text())
    config["attn_implementation"] = "someone/kernels"
    config["backbone_config"]["_attn_implementation"] = "someone/kernels"
    config["quantization_config"] = {"quant_method": "gptq"}
    (path / "config.json").write_text(json.dumps(config))
    (path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    model = load_mask2former(path)
    assert "someone" not in str(model.config.to_dict())
    assert model.dtype == torch.float32


def test_without_transformers_it_is_said_how_to_get_it(folder, monkeypatch, refused) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with refused("vitprof[segmentation]"):
        load_mask2former(folder)
