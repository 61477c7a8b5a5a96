"""Write foreign models as ONNX files, for benchmarks/foreign.py. Runs where timm is installed.

    python benchmarks/foreign_models.py --out foreign-models [--set second] [--names a,b]

timm needs torchvision, which cannot be imported beside the torch that vitprof is tested with: see
`make test-timm` for an environment that has both. Weights are random, and such that activations are
as large as a trained model's. Files that are there already are left as they are.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import timm
import torch
from known_models import KNOWN
from vitprof.models.modules.trained_like import fill_as_trained

# In the order of their names every second one is for the table, the others are never seen.
FOREIGN = (
    "coat_lite_mini",
    "coat_lite_tiny",
    "convnext_atto",
    "convnext_femto",
    "densenet121",
    "edgenext_small",
    "edgenext_xx_small",
    "efficientformer_l1",
    "efficientformerv2_s0",
    "efficientformerv2_s1",
    "efficientnet_b0",
    "efficientnet_lite0",
    "fastvit_s12",
    "fastvit_t8",
    "ghostnet_100",
    "levit_128s",
    "levit_192",
    "levit_256",
    "mixnet_s",
    "mobilenetv3_large_100",
    "mobilenetv3_small_100",
    "mobilenetv4_conv_medium",
    "mobilenetv4_conv_small",
    "mobilevit_xs",
    "mobilevitv2_050",
    "mobilevitv2_100",
    "poolformer_s12",
    "poolformerv2_s12",
    "pvt_v2_b0",
    "pvt_v2_b1",
    "regnetx_004",
    "regnety_008",
    "regnety_016",
    "repvit_m1_1",
    "resnet18",
    "resnet26d",
    "resnet50",
    "rexnet_100",
    "tiny_vit_11m_224",
    "tiny_vit_5m_224",
    "xcit_nano_12_p16_224",
    "xcit_tiny_12_p16_224",
)
# Validated first when kernels and fusions were written. Two of these (mobileone_s1, ghostnetv2_100)
# showed faults, which were mended.
SECOND = (
    "convit_tiny",
    "cspresnet50",
    "dla34",
    "fbnetc_100",
    "gernet_s",
    "ghostnetv2_100",
    "hardcorenas_a",
    "inception_next_tiny",
    "lcnet_100",
    "mixer_s32_224",
    "mnasnet_100",
    "mobileone_s1",
    "pit_ti_224",
    "res2net50_26w_4s",
    "resmlp_12_224",
    "resnext50_32x4d",
    "selecsls42b",
    "semnasnet_100",
    "tinynet_a",
    "visformer_tiny",
)
# Validated when those were mended. Two of these (crossvit_9_240, skresnet18) showed that a function
# was priced by another one, which is refused since, and that sums over two maps were not measured.
THIRD = (
    "caformer_s18",
    "cait_xxs24_224",
    "crossvit_9_240",
    "dpn68",
    "efficientvit_b0",
    "ese_vovnet19b_dw",
    "fasternet_t0",
    "hrnet_w18_small",
    "mobilenetv2_100",
    "nest_tiny",
    "resnest14d",
    "skresnet18",
    "starnet_s1",
    "swiftformer_xs",
    "twins_svt_small",
    "vovnet39a",
)


SETS = {"first": (*FOREIGN, *KNOWN), "second": SECOND, "third": THIRD}


def write(name: str, path: Path) -> None:
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, exportable=True).eval()
    example = torch.randn(1, *model.default_cfg["input_size"])
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fill_as_trained(model, example)
        temporary = path.with_suffix(".part")
        torch.onnx.export(
            model,
            (example,),
            str(temporary),
            opset_version=17,
            dynamo=False,
            input_names=["input"],
            output_names=["output"],
        )
    temporary.rename(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="foreign-models")
    parser.add_argument("--names")
    parser.add_argument("--set", choices=SETS, default="first")
    arguments = parser.parse_args()
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    names = arguments.names.split(",") if arguments.names else SETS[arguments.set]
    for name in names:
        path = folder / f"{name}.onnx"
        if path.exists():
            continue
        try:
            write(name, path)
            print(f"{path}: {path.stat().st_size / 1e6:.0f} MB", flush=True)
        except Exception as error:  # of torch, timm or the exporter: the others are still wanted
            print(f"{name}: {' '.join(str(error).split())[:300]}", flush=True)


if __name__ == "__main__":
    main()
