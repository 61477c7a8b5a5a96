"""Trained models of folders of any origin, as variants."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from vitprof import UserError, ViTSpec, create_model
from vitprof.profiler.deployed.beside_reference import Ratio
from vitprof.search.supernet.folder import SupernetRecord, write_supernet
from vitprof.search.supernet.supernet import Supernet
from vitprof.spaces.registry import search_space_from_dict
from vitprof.training.data.datasets import load_dataset
from vitprof.training.data.held_out import digest
from vitprof.training.data.images import Normalisation
from vitprof.training.model_folder import write_model
from vitprof.verbs.deployments.log import DeploymentLog, Record, figures_of
from vitprof.verbs.deployments.question import checked_out, numbers_of
from vitprof.verbs.deployments.sources import model_folders, sources_of, variants_of

SPEC = ViTSpec.uniform(16, 2, 2, mlp=16, resolution=8, patch=2, classes=10, in_channels=1)
NORM = Normalisation((0.3,), (0.4,))


def data_at(resolution: int | None):
    return load_dataset("digits", resolution)


def saved(place: Path, spec: ViTSpec = SPEC, norm: Normalisation | None = NORM) -> Path:
    torch.manual_seed(0)
    write_model(create_model(spec), place, norm)
    return place


def test_folders_of_models_are_taken_apart(tmp_path) -> None:
    saved(tmp_path / "one")
    saved(tmp_path / "levels" / "whole")
    saved(tmp_path / "levels" / "level-1")
    saved(tmp_path / "other" / "one")
    found = model_folders([tmp_path / "one", tmp_path / "levels", tmp_path / "other" / "one"])
    assert list(found) == ["one", "levels/level-1", "levels/whole", "other/one"]


@pytest.mark.parametrize("twice", [False, True])
def test_what_holds_no_model_and_what_comes_twice_is_refused(tmp_path, refused, twice) -> None:
    place = saved(tmp_path / "one")
    if twice:
        with refused("one twice"):
            model_folders([place, place])
    else:
        with refused("holds no model"):
            model_folders([tmp_path / "none"])


def test_models_of_other_classes_are_refused(tmp_path, refused) -> None:
    other = ViTSpec.uniform(16, 1, 2, mlp=16, resolution=8, patch=2, classes=7, in_channels=1)
    with refused("10 classes", "takes 7"):
        sources_of([saved(tmp_path / "other", other)], data_at, 4, 0, tmp_path / "out")


def test_each_model_keeps_its_own_normalisation(tmp_path, capsys) -> None:
    first = saved(tmp_path / "first")
    second = saved(tmp_path / "second", norm=Normalisation((0.5,), (0.5,)))
    found = sources_of([first, second], data_at, 4, 0, tmp_path / "out")
    assert [source.norm.mean for source in found] == [(0.3,), (0.5,)]


def test_merged_tokens_and_other_sizes_are_variants_with_the_same_weights(tmp_path) -> None:
    sources = sources_of([saved(tmp_path / "net")], data_at, 4, 0, tmp_path / "out")
    made, left_out = variants_of(sources, [0, 2], [8, 12, 9], tmp_path / "out")
    assert [one.variant.name for one in made] == [
        "net, 8 px",
        "net, 2 merged, 8 px",
        "net, 12 px",
        "net, 2 merged, 12 px",
    ]
    assert set(left_out) == {"net, 9 px", "net, 2 merged, 9 px"}
    whole = create_model(made[0].folder, checkpoint=made[0].folder)
    merging = create_model(made[1].folder, checkpoint=made[1].folder)
    assert merging.spec.merges == (2, 2)
    assert made[1].variant.macs < made[0].variant.macs
    for name, tensor in whole.state_dict().items():
        assert torch.equal(merging.state_dict()[name], tensor)
    assert len({one.digest for one in made}) == 4


def test_numbers_come_in_any_form(refused) -> None:
    assert numbers_of("tokens", "0,2, 4,2", 0) == [0, 2, 4]
    assert numbers_of("threads", 2, 1) == [2]
    assert numbers_of("resolutions", (), 1, may_lack=True) == []
    for wrong in ("1,x", [0], ()):
        with refused("`threads`"):
            numbers_of("threads", wrong, 1)


def test_a_folder_of_something_else_is_left_alone(tmp_path, refused) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with refused("holds no choice"):
        checked_out(tmp_path)
    (tmp_path / "facts.jsonl").write_text("")
    assert checked_out(tmp_path) == tmp_path


RATIO = Ratio(2.0, 1.9, 2.1, 1.5, (3.0, 4.0, 5.0), False)


def test_a_log_keeps_what_was_measured(tmp_path, refused) -> None:
    path, under = tmp_path / "facts.jsonl", {"images": "a", "cpu": "b"}
    log = DeploymentLog(path, under)
    record = Record("net, torch int8", "net, torch int8", "d", RATIO, {1: 0.9}, 1000, 100, 6.0)
    log.add(record)
    log.add_refused("net, x", "d", "no operator")
    log.add_accuracy("net", "d", {1: 0.95})
    again = DeploymentLog(path, under)
    assert again.records == {"net, torch int8": record}
    assert again.refused == {("net, x", "d"): "no operator"}
    assert again.accuracies == {("net", "d"): {1: 0.95}}
    assert again.answers_of("net, torch int8", "d") == {1: 0.9}
    assert again.answers_of("net, torch int8", "changed") is None
    assert again.reference_ms("typical") == 4.0
    assert again.reference_ms("undisturbed") < 4.0 < again.reference_ms("p90")
    with refused("another images"):
        DeploymentLog(path, {"images": "c", "cpu": "b"})
    with path.open("a") as file:
        file.write(json.dumps({"measured": {"name": 3}}) + "\n")
    with refused("damaged"):
        DeploymentLog(path, under)


def test_figures_are_of_one_image() -> None:
    record = Record("n", "n", "d", RATIO, {1: 0.9, 3: 0.99}, 1000, 100, 6.0)
    median = figures_of(record, 4.0, 1, 2)
    assert (median.accuracy, median.latency_ms, median.energy_mj) == (0.9, 4.0, 3.0)
    assert figures_of(record, 4.0, 3, 1, tail=True).latency_ms == pytest.approx(12.0)
    with pytest.raises(KeyError):
        figures_of(record, 4.0, 5, 1)


def test_unfit_paths_are_user_errors(tmp_path) -> None:
    with pytest.raises(UserError, match="no models to choose from"):
        model_folders([])


VITS = {
    "family": "vit",
    "name": "small",
    "embed": [8, 16],
    "depth": [1, 2],
    "heads": [1, 2],
    "qk": 4,
    "mlp_ratio": [1, 2],
    "resolution": 8,
    "patch": 4,
    "in_channels": 1,
    "classes": 10,
}


def test_a_supernet_gives_subnets_on_its_weights(tmp_path) -> None:
    data = data_at(8)
    space = search_space_from_dict(VITS, "the space")
    torch.manual_seed(0)
    net = Supernet(create_model(space.supernet_spec()))
    record = SupernetRecord(space, {}, 100, 0, "digits", digest(data.train))
    write_supernet(net, tmp_path / "net", NORM, record)
    found = sources_of([tmp_path / "net"], data_at, 5, 0, tmp_path / "out")
    assert [source.name for source in found][:2] == ["net/subnet-0", "net/subnet-1"]
    assert 2 <= len(found) <= 5
    sizes = [source.spec.params for source in found]
    assert max(sizes) == space.spec(space.largest()).params
    assert min(sizes) == space.spec(space.smallest()).params
    images = torch.randn(2, 1, 8, 8)
    for source in found:
        alone = create_model(source.folder, checkpoint=source.folder)
        assert torch.allclose(alone(images), net.eval().extract(source.spec)(images))
