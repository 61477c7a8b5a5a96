"""Artifacts of OpenVINO: whole, cut off, and made to open what is not theirs."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.backends import BackendError, BackendOptions
from vitprof.backends.openvino.backend import OpenVinoBackend
from vitprof.backends.openvino.ir import IR

OPTIONS = BackendOptions(provider="CPU")
GRAPH = (
    b'<net><layers><layer id="0" name="a" type="Const" version="opset1">%b</layer></layers></net>'
)


@pytest.fixture(scope="module")
def artifact() -> bytes:
    torch.manual_seed(0)
    return OpenVinoBackend().build(torch.nn.Linear(4, 4), (1, 4), OPTIONS)


def graph(data: bytes) -> IR:
    return IR(GRAPH % data, bytes(16))


def test_both_parts_come_back(artifact: bytes) -> None:
    ir = IR.from_bytes(artifact)
    assert ir.graph.startswith(b"<?xml")
    assert len(ir.weights) >= 4 * 4 * 4
    assert ir.to_bytes() == artifact


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_cut_off_artifact_is_refused(artifact: bytes, data: st.DataObject) -> None:
    kept = data.draw(st.integers(0, len(artifact) - 1))
    with pytest.raises(BackendError, match=r"not an artifact of|damaged or cut off"):
        IR.from_bytes(artifact[:kept])


def test_more_behind_its_end_is_refused(artifact: bytes) -> None:
    with pytest.raises(BackendError, match="damaged or cut off"):
        IR.from_bytes(artifact + b"\0")


@pytest.mark.parametrize(
    "data",
    [
        b'<data offset="8" size="12"/>',
        b'<data offset="-4" size="8"/>',
        b'<data offset="4" size="-8"/>',
        b'<data offset="18446744073709551608" size="16"/>',
    ],
)
def test_a_constant_outside_the_weights_is_refused(data: bytes) -> None:
    with pytest.raises(BackendError, match="constant 'a' lies outside the weights"):
        IR.from_bytes(graph(data).to_bytes())


def test_a_constant_inside_them_is_not() -> None:
    IR.from_bytes(graph(b'<data offset="8" size="8"/>').to_bytes())


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        (b'<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]><net>&x;</net>', "entities"),
        (b"<net><layers>", "reading the graph's XML failed"),
        (b"<html/>", "is a <html> and no <net>"),
        (
            b'<net><layers><layer type="Run" version="extension"/></layers></net>',
            "operator 'Run' is of 'extension' and not one of OpenVINO's own",
        ),
        (
            b'<net><layer type="Const" version="opset1"><data offset="x"/></layer></net>',
            "does not say where it lies",
        ),
    ],
)
def test_a_graph_that_is_none_is_refused(xml: bytes, words: str) -> None:
    with pytest.raises(BackendError, match=re.escape(words)):
        OpenVinoBackend().check_artifact(IR(xml, b"").to_bytes())


@pytest.mark.slow
def test_what_openvino_itself_refuses_is_told_in_its_words(artifact: bytes) -> None:
    ir = IR.from_bytes(artifact)
    unknown = IR(ir.graph.replace(b'type="MatMul"', b'type="MatMal"'), ir.weights)
    with pytest.raises(BackendError, match=r"reading the model into OpenVINO failed: .*MatMal"):
        OpenVinoBackend().load(unknown.to_bytes(), OPTIONS)
