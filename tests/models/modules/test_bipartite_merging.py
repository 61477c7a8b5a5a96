"""Merging against the definition, token by token; models that merge, and their ONNX files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from vitprof.backends.onnx.export import onnx_from_module
from vitprof.errors import UserError
from vitprof.models import Block, ViTSpec, create_model
from vitprof.models.modules.bipartite_merging import merged_tokens
from vitprof.models.modules.create_block import create_block

SPEC = ViTSpec.uniform(
    24, 3, 2, mlp=20, resolution=24, patch=4, classes=5, merges=(5, 0, 7), name="merging"
)


def by_definition(x, sizes, keys, merged, prefix):
    """One image: every even token proposes to the odd one most like it; the best merge."""
    tokens = len(x)
    proposals = []
    for even in range(0, tokens, 2):
        if even < prefix:
            continue
        found = [
            (float(torch.cosine_similarity(keys[even], keys[odd], dim=0)), odd)
            for odd in range(1, tokens, 2)
            if odd >= prefix
        ]
        alike, odd = max(found)
        proposals.append((alike, even, odd))
    proposals.sort(reverse=True)
    sums = {place: (x[place] * sizes[place], sizes[place]) for place in range(tokens)}
    for _, even, odd in proposals[:merged]:
        total, size = sums.pop(even)
        sums[odd] = (sums[odd][0] + total, sums[odd][1] + size)
    order = list(range(prefix))
    order += [p for p in sums if p % 2 == 0 and p >= prefix]
    order += [p for p in sums if p % 2 == 1 and p >= prefix]
    return (
        torch.stack([sums[p][0] / sums[p][1] for p in order]),
        torch.stack([sums[p][1] for p in order]),
    )


@pytest.mark.parametrize("prefix", [1, 2])
@pytest.mark.parametrize(("tokens", "merged"), [(9, 0), (9, 3), (10, 4), (17, 8), (18, 1)])
def test_it_does_what_the_definition_says(prefix, tokens, merged) -> None:
    if merged > (tokens - prefix) // 2:
        merged -= 1
    generator = torch.Generator().manual_seed(tokens)
    x = torch.randn(3, tokens, 5, generator=generator)
    keys = torch.randn(3, tokens, 4, generator=generator)
    sizes = torch.randint(1, 5, (3, tokens, 1), generator=generator).float()
    found, left = merged_tokens(x, sizes, keys, merged, prefix)
    assert found.shape == (3, tokens - merged, 5)
    for nth in range(3):
        expected, sizes_left = by_definition(x[nth], sizes[nth], keys[nth], merged, prefix)
        torch.testing.assert_close(found[nth], expected)
        torch.testing.assert_close(left[nth], sizes_left)
    torch.testing.assert_close(left.sum(1), sizes.sum(1))  # no patch is lost
    torch.testing.assert_close((found * left).sum(1), (x * sizes).sum(1))
    torch.testing.assert_close(found[:, :prefix], x[:, :prefix])


def test_alike_tokens_change_nothing() -> None:
    """Tokens that are the same merge into themselves: with sizes, attention sees what it saw."""
    plain = create_model(replace(SPEC, merges=()))
    merging = create_model(SPEC)
    merging.load_state_dict(plain.state_dict())
    with torch.no_grad():
        for model in (plain, merging):
            model.pos_embed[:, 1:] = 0.3
        images = torch.ones(2, 3, 24, 24)
        torch.testing.assert_close(merging(images), plain(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("distilled", [False, True])
def test_the_onnx_file_gives_the_same(distilled) -> None:
    import onnxruntime

    torch.manual_seed(0)
    model = create_model(replace(SPEC, distilled=distilled)).eval()
    images = torch.randn(2, 3, 24, 24)
    exported = onnx_from_module(model, tuple(images.shape))
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    found = session.run(None, {"input": images.numpy()})[0]
    with torch.no_grad():
        np.testing.assert_allclose(found, model(images).numpy(), rtol=1e-4, atol=1e-4)


def test_blocks_tell_what_each_layer_sees() -> None:
    dims = [(block.op, dict(block.dims)) for block in SPEC.blocks()]
    found = [(op, its.get("tokens"), its.get("merged")) for op, its in dims]
    assert found == [
        ("patch_embed", None, None),
        ("attention", 37, None),
        ("bipartite_merging", 37, 5),
        ("mlp", 32, None),
        ("proportional_attention", 32, None),
        ("mlp", 32, None),
        ("proportional_attention", 32, None),
        ("bipartite_merging", 32, 7),
        ("mlp", 25, None),
        ("classifier", 25, None),
    ]
    assert SPEC.macs < replace(SPEC, merges=()).macs
    assert sum(p.numel() for p in create_model(SPEC).parameters()) == SPEC.params
    assert ViTSpec.from_json(SPEC.to_json()) == SPEC


@pytest.mark.parametrize(
    "block",
    [
        Block.of("bipartite_merging", embed=24, heads=3, qk=16, tokens=17, merged=4),
        Block.of("bipartite_merging", embed=24, heads=1, qk=8, tokens=16, merged=7),
        Block.of("proportional_attention", embed=24, heads=3, qk=8, v=4, tokens=17),
    ],
    ids=str,
)
def test_the_blocks_run_alone(block) -> None:
    module = create_block(block)
    out = module(torch.randn(2, *block.input_shape))
    assert out.shape == (2, *block.output_shape)
    assert sum(p.numel() for p in module.parameters()) == block.params
    assert onnx_from_module(module, (1, *block.input_shape))


@pytest.mark.parametrize(
    ("merges", "words"),
    [
        ((1, 2), "2 numbers for 3 layers"),
        ((19, 0, 0), "more than half of the 37 tokens"),
        ((18, 10, 0), "at most 9"),
        ((-1, 0, 0), "merges=-1"),
        ("abc", "list of whole numbers"),
    ],
    ids=str,
)
def test_schedules_that_cannot_be_are_refused(merges, words) -> None:
    with pytest.raises(UserError, match=words):
        replace(SPEC, merges=merges)
    with pytest.raises(UserError, match="no attention"):
        ViTSpec.uniform(24, 1, 0, mlp=8, resolution=24, patch=4, classes=5, merges=(1,))
