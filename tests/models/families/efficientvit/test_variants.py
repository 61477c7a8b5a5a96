"""Every choice EfficientViT's spec has: attention written twice, chains, folding, ONNX. 6 s."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from vitprof.backends.onnx.export import onnx_from_module
from vitprof.models import Block, create_block, create_model
from vitprof.models.families.efficientvit.spec import EfficientViTSpec
from vitprof.models.families.efficientvit.stage import EfficientViTStage
from vitprof.models.modules.folding import folded

pytestmark = pytest.mark.slow

SMALL = EfficientViTSpec(
    stages=(EfficientViTStage(16, 1, 2), EfficientViTStage(24, 2, 3)),
    qk=4,
    window=3,
    kernels=(5, 3, 1),
    resolution=80,
    classes=5,
)
CHOICES = [
    {},
    {"ffns_before": 0},
    {"ffns_before": 3, "ffns_after": 2},
    {"attention": "mhsa"},
    {"attention": "mhsa", "v_ratio": 1.2},
    {"cascade": False},
    {"v_ratio": 0.4},
    {"v_ratio": 1.3},
    {"ffn_ratio": 4},
    {"dwconv": False},
    {"norm": "layer"},
    {"norm": "layer", "kernels": (1,)},
    {"activation": "hardswish"},
    {"activation": "gelu"},
    {"window": 7},
    {"kernels": (1,)},
]


def variant(choice: dict) -> EfficientViTSpec:
    return dataclasses.replace(SMALL, **{"cascade": None, **choice})


def randomised(module: nn.Module) -> nn.Module:
    """No weight or running statistic has a value that hides a mistake, like 0 or 1."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, values in module.state_dict().items():
            if not values.is_floating_point():
                continue
            z = torch.randn(values.shape, generator=generator)
            if name.endswith("running_var"):
                z = 0.5 + z.abs()
            elif name.endswith(("bn.weight", "norm.weight")):
                z = 0.6 + 0.1 * z  # so that activations keep their size from layer to layer
            elif values.dim() > 1 and "attention_biases" not in name:
                z = z / values[0].numel() ** 0.5
            values.copy_(z)
    return module


def images(spec: EfficientViTSpec) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 3, spec.resolution, spec.resolution, generator=generator)


def attention_anew(module: nn.Module, block: Block, x: torch.Tensor) -> torch.Tensor:
    """Equations 2 and 3 window by window, with PyTorch's own scaled dot product."""
    attn, window, split = module.m.attn, block["window"], block["embed"] // block["heads"]
    padding = -block["resolution"] % window
    padded = F.pad(x, (0, padding, 0, padding))
    result = torch.empty_like(padded)
    tokens = [(row, column) for row in range(window) for column in range(window)]
    for top in range(0, padded.shape[2], window):
        for left in range(0, padded.shape[3], window):
            here = (..., slice(top, top + window), slice(left, left + window))
            given, heads = padded[here], []
            for head in range(block["heads"]):
                own = given
                if block["attention"] == 1:
                    own = given[:, head * split : (head + 1) * split].clone()
                    if head and block["cascade"] == 2:
                        both = min(split, block["v"])
                        own[:, :both] += heads[-1][:, :both]
                q, k, v = attn.qkvs[head](own).split([block["qk"], block["qk"], block["v"]], 1)
                q, k, v = (part.flatten(2).mT for part in (attn.dws[head](q), k, v))
                bias = torch.tensor(
                    [
                        [
                            attn.attention_biases[head, abs(r - s) * window + abs(c - d)]
                            for s, d in tokens
                        ]
                        for r, c in tokens
                    ]
                )
                out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(2, -1, -1))
                heads.append(out.mT.reshape(2, block["v"], window, window))
            result[here] = attn.proj(torch.cat(heads, 1))
    side = block["resolution"]
    return x + result[:, :, :side, :side]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_attention_is_that_of_the_paper(choice):
    for block in dict.fromkeys(b for b in variant(choice).blocks() if b.op == "cga"):
        module = randomised(create_block(block))
        x = torch.randn(2, *block.input_shape)
        with torch.no_grad():
            torch.testing.assert_close(
                module(x), attention_anew(module, block, x), rtol=1e-4, atol=1e-4
            )


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_chain_blocks_and_folded_compute_what_the_model_does(choice):
    spec = variant(choice)
    model = randomised(create_model(spec)).double()
    start = images(spec).double()
    before = copy.deepcopy(model.state_dict())
    deployed = folded(model)
    with torch.no_grad():
        expected = model(start)
        alone = within = after = start
        parts = zip(spec.blocks(), model.chain(), deployed.chain(), strict=True)
        for block, part, small in parts:
            made = create_block(block).double()
            made.load_state_dict(part.state_dict())
            alone, within, after = made(alone), part(within), small(after)
        torch.testing.assert_close(within, expected, rtol=0, atol=0)
        torch.testing.assert_close(alone, expected, rtol=0, atol=0)
        torch.testing.assert_close(after, expected, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(folded(deployed)(start), after, rtol=0, atol=0)
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())
    assert expected.std() > 0.1


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.few("{'norm': 'layer'}", "{'attention': 'mhsa', 'v_ratio': 1.2}", "{'cascade': False}")
def test_onnx_runtime_computes_the_same(choice):
    spec = variant(choice)
    model = randomised(create_model(spec))
    for part, inputs in (
        (model, images(spec)[:1]),
        *(
            (randomised(create_block(block)), torch.randn(1, *block.input_shape))
            for block in dict.fromkeys(spec.blocks())
        ),
    ):
        exported = onnx_from_module(folded(part), tuple(inputs.shape))
        nodes = {node.op_type for node in onnx.load_from_string(exported).graph.node}
        assert "BatchNormalization" not in nodes
        session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
        (result,) = session.run(None, {"input": inputs.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(result, part(inputs).numpy(), rtol=1e-4, atol=1e-4)


def test_token_interaction_folds_to_one_convolution():
    block = next(block for block in SMALL.blocks() if block.op == "dwconv")
    assert isinstance(folded(create_block(block)), nn.Conv2d)


def test_the_chain_shares_the_weights_and_a_model_begins_as_the_identity():
    model = create_model(SMALL)
    shared = {id(p) for module in model.chain() for p in module.parameters()}
    assert shared == {id(p) for p in model.parameters()}
    x = torch.randn(2, 16, 5, 5)
    assert torch.equal(model.stages[0](x), x)


def test_every_weight_gets_a_gradient():
    model = randomised(create_model(SMALL)).train()
    model(images(SMALL)).square().sum().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
