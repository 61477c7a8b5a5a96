"""Blocks and models whose input is words, through every runtime that is here."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from vitprof.backends.onnx.export import onnx_from_module
from vitprof.backends.random_input import WORDS, seeded_input
from vitprof.models import BertSpec, create_block, create_model
from vitprof.models.families.bert.spec import LEAST_VOCAB

SPEC = BertSpec.uniform(32, 2, 2, mlp=48, vocab=80, positions=16, tokens=12, classes=3, name="text")


def test_every_vocabulary_has_the_words_that_are_looked_up() -> None:
    words = seeded_input((500,), "int64")
    assert words.dtype == np.int64
    assert 0 <= words.min() < words.max() < WORDS <= LEAST_VOCAB
    assert (words == seeded_input((500,), "int64")).all()


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_the_onnx_file_takes_whole_numbers(dtype) -> None:
    import onnxruntime

    torch.manual_seed(0)
    model = create_model(SPEC)
    words = seeded_input((2, 12), "int64")
    session = onnxruntime.InferenceSession(
        onnx_from_module(model, words.shape, dtype), providers=["CPUExecutionProvider"]
    )
    assert session.get_inputs()[0].type == "tensor(int64)"
    found = session.run(None, {"input": words})[0]
    with torch.no_grad():
        expected = model(torch.from_numpy(words)).numpy()
    close = 1e-4 if dtype == "fp32" else 1e-2
    np.testing.assert_allclose(found, expected, rtol=close, atol=close)


def test_a_block_of_words_in_a_chain_is_still_one_of_words() -> None:
    block = create_block(SPEC.blocks()[0])
    assert onnx_from_module(torch.nn.Sequential(block), (1, 12))


def test_an_engine_is_built() -> None:
    from vitprof.backends.protocol import BackendOptions
    from vitprof.backends.tensorrt.engine import engine_from_onnx
    from vitprof.backends.tensorrt.library import tensorrt_library

    model = onnx_from_module(create_model(SPEC), (1, 12), "fp16")
    library = tensorrt_library("tensorrt_rtx")
    options = BackendOptions(dtype="fp16")
    assert engine_from_onnx(model, library, "8.6", options).engine


def test_a_program_for_cuda_takes_words() -> None:
    from vitprof.backends.pytorch.program import TorchProgram, export_program

    program = export_program(create_model(SPEC), (1, 12), "fp32", "dense", "cutlass")
    again = TorchProgram.from_bytes(program.to_bytes())
    assert again == program
    words = again.input("cpu")
    assert words.dtype == torch.int64
    assert again.module("cpu")(words).shape == (1, 3)


def test_a_core_ml_package_takes_words(tmp_path) -> None:
    from vitprof.backends.coreml.convert import coreml_from_module
    from vitprof.backends.coreml.package import MODEL, unpack
    from vitprof.backends.coreml.program import program_io

    artifact = coreml_from_module(create_model(SPEC), (1, 12), "fp16")
    package = unpack(artifact, tmp_path)
    found = program_io((package / MODEL).read_bytes())
    assert (found.input_shape, found.dtype) == ((1, 12), "int32")
    assert seeded_input(found.input_shape, found.dtype).dtype == np.int32
