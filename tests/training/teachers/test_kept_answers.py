"""Answers that are kept: the same as asked again, of the same teacher alone."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from vitprof.errors import UserError
from vitprof.models import ViTSpec, create_model
from vitprof.training.data.images import Dataset, Normalisation
from vitprof.training.distillation import DistillationLoss, Teaching
from vitprof.training.inputs import model_inputs
from vitprof.training.loop import TrainingRun
from vitprof.training.model_folder import write_model
from vitprof.training.plan import TrainingPlan
from vitprof.training.teachers.adapted import Adapted
from vitprof.training.teachers.answer_files import AnswerFiles
from vitprof.training.teachers.kept_answers import KeptAnswers, keeping_answers, read_or_keep
from vitprof.training.teachers.read import read_teacher

CPU = torch.device("cpu")
NORM = Normalisation((0.1, 0.2, 0.3), (0.9, 0.8, 0.7))
OTHER = Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
SPEC = ViTSpec.uniform(16, 1, 2, mlp=16, resolution=8, patch=4, classes=3, name="teacher")
PLAN = TrainingPlan(epochs=2, batch=6, autocast="fp32", augment="none")


class Counted:
    """How many images a teacher was asked about."""

    def __init__(self, teacher: Adapted) -> None:
        self.images = 0
        teacher.register_forward_pre_hook(self._count)

    def _count(self, module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.images += len(inputs[0])


def seen(photos: Dataset, norm: Normalisation = NORM) -> Tensor:
    images = model_inputs(photos.train, norm)
    assert isinstance(images, Tensor)
    return images


def teacher_of(folder: Path, photos: Dataset, norm: Normalisation = NORM, seed: int = 0) -> Adapted:
    torch.manual_seed(seed)
    write_model(create_model(SPEC), folder, OTHER)
    return read_teacher(folder, CPU, photos, norm)


def test_an_image_is_asked_about_once(photos, tmp_path) -> None:
    teacher = teacher_of(tmp_path / "t", photos)
    images = seen(photos)
    expected = teacher(images)
    counted = Counted(teacher)
    kept = keeping_answers(teacher, tmp_path / "kept", PLAN)
    assert torch.allclose(kept(images[:10]), expected[:10], atol=1e-6)
    assert torch.allclose(kept(images[4:14]), expected[4:14], atol=1e-6)
    assert torch.allclose(kept(images[:14]), expected[:14], atol=1e-6)
    assert counted.images == 14
    # Written as the third batch was known whole: another process knows them too.
    again = keeping_answers(teacher, tmp_path / "kept", PLAN)
    assert torch.allclose(again(images), expected, atol=1e-6)
    assert counted.images == 18


def test_what_waits_is_written_when_the_teacher_goes(photos, tmp_path) -> None:
    kept = keeping_answers(teacher_of(tmp_path / "t", photos), tmp_path / "kept", PLAN)
    kept(seen(photos))
    assert not list((tmp_path / "kept").rglob("*.npy"))
    del kept
    gc.collect()
    assert len(list((tmp_path / "kept").rglob("*.npy"))) == 1


def test_students_of_other_normalisations_share_answers(photos, tmp_path) -> None:
    teacher = teacher_of(tmp_path / "t", photos)
    kept = keeping_answers(teacher, tmp_path / "kept", PLAN)
    expected = kept(seen(photos))
    kept.files.save()
    other = teacher_of(tmp_path / "t", photos, Normalisation((0.4, 0.5, 0.6), (0.2, 0.21, 0.3)))
    counted = Counted(other)
    again = keeping_answers(other, tmp_path / "kept", PLAN)
    images = seen(photos, Normalisation((0.4, 0.5, 0.6), (0.2, 0.21, 0.3)))
    assert torch.equal(again(images), expected)
    assert counted.images == 0


def test_another_teacher_has_answers_of_its_own(photos, tmp_path) -> None:
    first = keeping_answers(teacher_of(tmp_path / "t", photos), tmp_path / "kept", PLAN)
    folders = {first.files.folder}
    one = teacher_of(tmp_path / "u", photos)
    with torch.no_grad():
        next(one.teacher.parameters()).view(-1)[0] += 1e-3
    folders.add(keeping_answers(one, tmp_path / "kept", PLAN).files.folder)
    one = teacher_of(tmp_path / "u", photos)
    one.expects = replace(one.expects, side=16)
    folders.add(keeping_answers(one, tmp_path / "kept", PLAN).files.folder)
    one = teacher_of(tmp_path / "u", photos)
    one.order = torch.tensor([1, 2, 0])
    folders.add(keeping_answers(one, tmp_path / "kept", PLAN).files.folder)
    one = teacher_of(tmp_path / "u", photos)  # the same shapes, but one head of twice the dims
    one.made_by = one.made_by.replace('"heads": 2', '"heads": 1')
    folders.add(keeping_answers(one, tmp_path / "kept", PLAN).files.folder)
    folders.add(
        keeping_answers(one, tmp_path / "kept", replace(PLAN, autocast="bf16")).files.folder
    )
    assert len(folders) == 6
    same = teacher_of(tmp_path / "u", photos)
    assert keeping_answers(same, tmp_path / "kept", PLAN).files.folder == first.files.folder


def test_what_is_no_image_of_bytes_is_answered_and_not_kept(photos, tmp_path) -> None:
    teacher = teacher_of(tmp_path / "t", photos)
    images = seen(photos)
    images[1] += 0.3 / 255
    images[2, 0, 0, 0] = 9.0
    expected = teacher(images)
    counted = Counted(teacher)
    kept = keeping_answers(teacher, tmp_path / "kept", PLAN)
    for _ in range(2):
        assert torch.allclose(kept(images), expected, atol=1e-6)
    assert counted.images == 18 + 2


def test_every_byte_is_told_from_its_neighbours(photos, tmp_path) -> None:
    kept = keeping_answers(teacher_of(tmp_path / "t", photos), tmp_path / "kept", PLAN)
    pixels = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None, None], (256, 3, 8, 8))
    every = photos.train.__class__(pixels.copy(), np.zeros(256, int), ("ant", "bee", "cat"), "x")
    images = model_inputs(every, NORM)
    keys = kept.keys(images)
    assert None not in keys
    assert len(set(keys)) == 256
    assert kept.keys(images.contiguous(memory_format=torch.channels_last)) == keys


def test_two_writers_do_not_disturb_each_other(tmp_path) -> None:
    one, two = AnswerFiles(tmp_path, 2), AnswerFiles(tmp_path, 2)
    keys = [bytes([number]) * 16 for number in range(3)]
    one.add(keys[0], np.array([1, 2], np.float32))
    two.add(keys[1], np.array([3, 4], np.float32))
    two.add(keys[0], np.array([1, 2], np.float32))
    one.save()
    two.save()
    third = AnswerFiles(tmp_path, 2)
    assert [key in third for key in keys] == [True, True, False]
    assert third[keys[1]].tolist() == [3, 4]
    assert one[keys[0]].tolist() == [1, 2]


def test_files_are_written_as_enough_waits(tmp_path) -> None:
    files = AnswerFiles(tmp_path, 2)
    files.at_once = 2
    for number in range(5):
        files.add(bytes([number]) * 16, np.array([number, 0], np.float32))
    assert len(list(tmp_path.glob("*.npy"))) == 2
    assert list(files.waiting) == [bytes([4]) * 16]


@pytest.mark.parametrize("how", ["torn", "pickled", "other"])
def test_a_file_that_is_none_is_refused(how: str, tmp_path) -> None:
    files = AnswerFiles(tmp_path, 2)
    files.add(b"x" * 16, np.array([1, 2], np.float32))
    files.save()
    (path,) = tmp_path.glob("*.npy")
    if how == "torn":
        path.write_bytes(path.read_bytes()[:-3])
    elif how == "pickled":
        np.save(path, np.array([object()], dtype=object), allow_pickle=True)
    else:
        np.save(path, np.zeros(3))
    with pytest.raises(UserError, match="delete it"):
        AnswerFiles(tmp_path, 2)


def test_augmented_images_are_refused(photos, tmp_path) -> None:
    with pytest.raises(UserError, match="`augment` light makes others of them"):
        read_or_keep("nowhere", tmp_path, CPU, photos, NORM, replace(PLAN, augment="light"))
    assert not list(tmp_path.iterdir())


def test_a_run_learns_the_same_with_answers_that_are_kept(photos, tmp_path) -> None:
    found = []
    for cache in (None, tmp_path / "kept", tmp_path / "kept"):
        teacher_of(tmp_path / "t", photos)
        teacher = read_or_keep(tmp_path / "t", cache, CPU, photos, NORM, PLAN)
        asked = Counted(teacher.teacher if isinstance(teacher, KeptAnswers) else teacher)
        torch.manual_seed(3)
        loss = DistillationLoss(Teaching(teacher, "soft", 0.5))
        run = TrainingRun(create_model(SPEC), photos, NORM, PLAN, loss)
        assert len(list(run.steps())) == 6
        if isinstance(teacher, KeptAnswers):
            teacher.files.save()
        found.append((asked.images, torch.cat([w.view(-1) for w in run.model.parameters()])))
    assert [images for images, _ in found] == [36, 18, 0]
    assert torch.allclose(found[1][1], found[0][1], atol=1e-5)
    assert torch.allclose(found[2][1], found[1][1], atol=1e-5)
