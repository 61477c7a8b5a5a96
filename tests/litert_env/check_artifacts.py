"""`.tflite` files from elsewhere: truncated, changed, of other things, and one that crashes."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder
from torch import nn
from vitprof.backends import BackendError, BackendOptions, trial
from vitprof.backends.litert.backend import LiteRtBackend

BACKEND = LiteRtBackend()
OPTIONS = BackendOptions(provider="xnnpack")


@pytest.fixture(scope="module")
def artifact() -> bytes:
    torch.manual_seed(0)
    return BACKEND.build(nn.Sequential(nn.Linear(8, 8), nn.ReLU()), (1, 8), OPTIONS)


def changed(artifact: bytes, change) -> bytes:
    """Return the model with something else in it, written again as LiteRT writes it."""
    model = schema.ModelT.InitFromPackedBuf(artifact, 0)
    change(model)
    builder = Builder(len(artifact))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_one_of_ours_is_taken(artifact: bytes) -> None:
    BACKEND.check_artifact(artifact)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_one_is_refused(artifact: bytes, share: float) -> None:
    cut = artifact[: int(share * len(artifact))]
    for refuse in (BACKEND.check_artifact, lambda data: BACKEND.load(data, OPTIONS)):
        with pytest.raises(BackendError):
            refuse(cut)


@pytest.mark.parametrize("other", [b"PK\3\4" + bytes(99), bytes(99), b"\x1c\0\0\0TFL2" + bytes(99)])
def test_what_is_no_model_is_refused_by_its_beginning(other: bytes) -> None:
    with pytest.raises(BackendError, match="TFL3"):
        BACKEND.check_artifact(other)


def test_an_operator_that_nobody_knows_is_refused_in_the_runtimes_words(artifact: bytes) -> None:
    def stranger(model: schema.ModelT) -> None:
        code = model.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = b"Stranger"

    with pytest.raises(BackendError, match="Stranger"):
        BACKEND.check_artifact(changed(artifact, stranger))


def test_a_tensor_that_is_not_there_is_refused(artifact: bytes) -> None:
    def beyond(model: schema.ModelT) -> None:
        model.subgraphs[0].operators[0].inputs = [12345]

    with pytest.raises(BackendError, match="12345"):
        BACKEND.check_artifact(changed(artifact, beyond))


def test_a_model_that_wants_all_memory_is_refused(artifact: bytes) -> None:
    def huge(model: schema.ModelT) -> None:
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        tensor.shape = np.array([1 << 20, 1 << 14], np.int32)

    with pytest.raises(BackendError):
        BACKEND.check_artifact(changed(artifact, huge))


def test_weights_in_another_file_are_refused(artifact: bytes) -> None:
    def elsewhere(model: schema.ModelT) -> None:
        group = schema.ExternalBufferGroupT()
        group.name = b"/etc/passwd"
        model.externalBufferGroups = [group]

    with pytest.raises(BackendError, match="other files"):
        BACKEND.check_artifact(changed(artifact, elsewhere))


def test_a_crash_of_the_runtime_is_a_sentence(
    artifact: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.stop_trials()
    crash = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})\n"
    monkeypatch.setattr(trial, "PROGRAM", crash)
    with pytest.raises(BackendError, match=r"LiteRT crashes on this model .* ended with -11"):
        BACKEND.check_artifact(artifact)


def test_whatever_is_changed_this_process_lives_on(artifact: bytes) -> None:
    draw = random.Random(0)
    for _ in range(12):
        damaged = bytearray(artifact)
        for _ in range(4):
            damaged[draw.randrange(8, len(damaged))] = draw.randrange(256)
        try:
            BACKEND.check_artifact(bytes(damaged))
        except BackendError as error:
            assert "\n" not in str(error)


def test_a_file_is_loaded_like_its_bytes(artifact: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(artifact)
    with BACKEND.load_file(file, OPTIONS) as one, BACKEND.load(artifact, OPTIONS) as other:
        assert (one.outputs()[0] == other.outputs()[0]).all()
