"""A supernet is read as it was written; what does not belong together is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from vitprof.models import create_model
from vitprof.search.supernet.folder import SupernetRecord, read_supernet, write_supernet
from vitprof.search.supernet.supernet import Supernet
from vitprof.spaces.registry import search_space_from_dict
from vitprof.training.data.held_out import digest, hold_out
from vitprof.training.data.images import Dataset

VIT = {
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


@pytest.fixture(scope="module")
def written(tmp_path_factory, digits: Dataset) -> Path:
    folder = tmp_path_factory.mktemp("supernet")
    space = search_space_from_dict(VIT, "the space")
    torch.manual_seed(0)
    record = SupernetRecord(
        space, {"training": {"epochs": 1.0}}, 100, 3, "digits", digest(digits.train)
    )
    supernet = Supernet(create_model(space.supernet_spec()))
    write_supernet(supernet, folder, digits.normalisation, record)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "copy"))


def test_what_was_written_is_read(written, digits) -> None:
    found = read_supernet(written)
    torch.manual_seed(0)
    again = create_model(found.record.space.supernet_spec())
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(found.supernet(images), again(images))
    assert not found.supernet.training
    assert found.norm == digits.normalisation
    assert found.record.space.to_dict() == search_space_from_dict(VIT, "it").to_dict()
    assert found.record.training == {"training": {"epochs": 1.0}}
    train, held = found.record.parts(digits.train)
    expected = hold_out(digits.train, 100, 3)
    assert np.array_equal(train.pixels, expected[0].pixels)
    assert np.array_equal(held.pixels, expected[1].pixels)


def test_other_images_are_noticed(written, digits, refused) -> None:
    record = read_supernet(written).record
    turned = digits.train.take(np.arange(len(digits.train))[::-1], "turned")
    with refused("turned", "digits", "held out"):
        record.parts(turned)


def test_another_space_is_refused_and_other_classes_are_not(written, refused) -> None:
    record = read_supernet(written).record
    record.check_space(search_space_from_dict({**VIT, "classes": 1000}, "it"))
    with refused("'small'", "'wider'", "embed"):
        record.check_space(search_space_from_dict({**VIT, "name": "wider", "embed": [8, 32]}, "it"))


def test_a_folder_without_supernet_is_refused(tmp_path, refused) -> None:
    with refused("holds no supernet", "supernet.json"):
        read_supernet(tmp_path)


@pytest.mark.parametrize("name", ["spec.json", "model.safetensors", "preprocessor_config.json"])
def test_a_folder_that_lacks_a_file_is_refused(folder, refused, name) -> None:
    (folder / name).unlink()
    with refused("damaged"):
        read_supernet(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": 1}, ("unknown field 'colour'",)),
        ({"format": 2}, ("format=2",)),
        ({"held_out": -1}, ("held_out=-1",)),
        ({"held_out": True}, ("held_out=True",)),
        ({"split_seed": "0"}, ("split_seed='0'",)),
        ({"space": 3}, ("space=3",)),
        ({"space": {**VIT, "depth": []}}, ("depth has no choice",)),
        ({"space": {**VIT, "depth": [1, 3]}}, ("damaged", "spec.json", "'small'")),
        ({"training": None}, ("training=None",)),
        ({"data_digest": None}, ("data_digest=None",)),
    ],
)
def test_fields_that_are_wrong_are_refused(folder, refused, change, words) -> None:
    path = folder / "supernet.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with refused(*words):
        read_supernet(folder)


def test_a_missing_field_and_no_json_are_refused(folder, refused) -> None:
    path = folder / "supernet.json"
    fields = json.loads(path.read_text())
    del fields["held_out"]
    path.write_text(json.dumps(fields))
    with refused("'held_out' is missing"):
        read_supernet(folder)
    path.write_text("{")
    with refused("not valid JSON"):
        read_supernet(folder)


def test_weights_that_do_not_fit_or_are_cut_are_refused(folder, refused) -> None:
    weights = folder / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-10])
    with refused("model.safetensors", "damaged"):
        read_supernet(folder)
    other = search_space_from_dict({**VIT, "embed": [8, 24]}, "it").supernet_spec()
    from vitprof.training.model_folder import write_model

    write_model(create_model(other), folder / "other", None)
    shutil.copy(folder / "other" / "model.safetensors", weights)
    with refused("cls_token", "(1, 1, 24)"):
        read_supernet(folder)
