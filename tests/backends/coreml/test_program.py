import functools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from vitprof.backends import BackendError
from vitprof.backends.coreml.convert import coreml_from_module
from vitprof.backends.coreml.package import model_of
from vitprof.backends.coreml.program import ProgramIO, canonical, program_io
from vitprof.backends.coreml.quiet import quiet_coremltools

DATE = "com.github.apple.coremltools.conversion_date"


@functools.cache
def coremltools() -> Any:
    """Imported by the first test that needs it: ten seconds, which every worker would wait for."""
    with quiet_coremltools():
        import coremltools as found
    return found


@pytest.fixture(scope="module")
def model() -> bytes:
    torch.manual_seed(0)
    return model_of(coreml_from_module(nn.Linear(16, 32), (2, 16)))


def changed(model: bytes, change) -> bytes:
    specification = coremltools().proto.Model_pb2.Model.FromString(model)
    change(specification)
    return specification.SerializeToString()


def test_input_and_output_are_read(model) -> None:
    assert program_io(model) == ProgramIO("input", (2, 16), "fp16", ("output",))


def test_the_day_of_conversion_changes_nothing(model) -> None:
    def another_day(specification) -> None:
        specification.description.metadata.userDefined[DATE] = "2001-02-03"

    other = changed(model, another_day)
    assert other != model
    assert canonical(other) == model == canonical(model)
    assert DATE.encode() not in model


def test_weights_of_another_file_are_refused(model) -> None:
    def elsewhere(specification) -> None:
        block = specification.mlProgram.functions["main"].block_specializations["CoreML7"]
        found = 0
        for operation in block.operations:
            for value in operation.attributes.values():
                if value.WhichOneof("value") == "blobFileValue":
                    value.blobFileValue.fileName = "@model_path/../../../../etc/passwd"
                    found += 1
        assert found

    with pytest.raises(BackendError, match=r"reads weights from .*etc/passwd"):
        program_io(changed(model, elsewhere))


def test_a_model_of_another_kind_is_refused(model) -> None:
    def network(specification) -> None:
        specification.neuralNetwork.SetInParent()

    with pytest.raises(BackendError, match="of type neuralNetwork and not an ML program"):
        program_io(changed(model, network))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.description.input.add(name="more"), "has 2 inputs"),
        (lambda s: s.description.input[0].type.imageType.SetInParent(), "not one array"),
        (lambda s: s.description.input[0].type.multiArrayType.ClearField("shape"), "no fixed"),
        (
            lambda s: s.description.input[0].type.multiArrayType.shapeRange.SetInParent(),
            "no fixed",
        ),
        (
            lambda s: s.description.input[0].type.multiArrayType.shape.append(2**40),
            r"shape \[2, 16, 1099511627776\]",
        ),
        (lambda s: s.description.input[0].type.multiArrayType.shape.append(0), "empty"),
        (lambda s: s.description.input[0].type.multiArrayType.shape.append(-1), "empty"),
        (
            lambda s: setattr(s.description.input[0].type.multiArrayType, "dataType", 65600),
            "data type 65600",
        ),
    ],
)
def test_an_input_that_cannot_be_filled_is_refused(model, change, words) -> None:
    with pytest.raises(BackendError, match=words):
        program_io(changed(model, change))


@pytest.mark.parametrize("model", [b"", b"\xff" * 40, bytes(np.arange(200, dtype=np.uint8))])
def test_what_is_no_model_is_refused(model) -> None:
    with pytest.raises(BackendError):
        program_io(model)


@given(st.data())
@settings(max_examples=200)
def test_damage_never_raises_anything_else(model, data) -> None:
    damaged = bytearray(model)
    for place in data.draw(st.lists(st.integers(0, len(model) - 1), min_size=1, max_size=4)):
        damaged[place] ^= data.draw(st.integers(1, 255))
    try:
        io = program_io(bytes(damaged))
    except BackendError:
        return
    assert 0 < np.prod(io.input_shape, dtype=float) <= 2**28
