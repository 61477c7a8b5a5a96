"""What a worker asks Ray for, and how many a cluster can take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from vitprof.backends import find_device
from vitprof.profiler.fleet.nodes import Wish, count_devices


def node(alive: bool = True, **resources: float) -> dict[str, Any]:
    named = {name.replace("__", ":"): amount for name, amount in resources.items()}
    return {"Alive": alive, "Resources": {"CPU": 8.0, **named}}


def wish(name: str, threads: int = 1) -> Wish:
    return Wish.of(find_device(name), threads)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("t4", {"num_gpus": 1, "num_cpus": 1, "accelerator_type": "T4"}),
        ("h200", {"num_gpus": 1, "num_cpus": 1, "accelerator_type": "H200"}),
        ("rtx3080", {"num_gpus": 1, "num_cpus": 1, "resources": {"vitprof:rtx3080": 1}}),
        ("cpu", {"num_gpus": 0, "num_cpus": 2, "resources": {"vitprof:cpu": 1}}),
        ("jetson-orin", {"num_gpus": 0, "num_cpus": 2, "resources": {"vitprof:jetson-orin": 1}}),
        ("iphone13", {"num_gpus": 0, "num_cpus": 2, "resources": {"vitprof:iphone13": 1}}),
    ],
)
def test_a_worker_reserves_one_device_and_no_call_is_tried_twice(
    name: str, asked: dict[str, Any]
) -> None:
    options = wish(name, threads=2).options()
    assert options == asked | {"max_restarts": 3, "max_task_retries": 0}


def test_names_of_accelerators_are_rays_own() -> None:
    from ray.util.accelerators import accelerators

    known = {value for name, value in vars(accelerators).items() if name.startswith("NVIDIA")}
    for name in ("t4", "v100", "a100", "h100", "h200"):
        assert wish(name).accelerator_type in known


@pytest.mark.parametrize(
    ("device", "nodes", "count"),
    [
        ("t4", [node(accelerator_type__T4=1, GPU=4), node(accelerator_type__T4=1, GPU=1)], 5),
        ("t4", [node(accelerator_type__T4=1, GPU=4), node(accelerator_type__A100=1, GPU=8)], 4),
        ("t4", [node(accelerator_type__T4=1, GPU=4, CPU=2)], 2),
        (
            "t4",
            [node(False, accelerator_type__T4=1, GPU=1), node(accelerator_type__T4=1, GPU=2)],
            2,
        ),
        ("rtx3080", [node(vitprof__rtx3080=2, GPU=4)], 2),
        ("cpu", [node(vitprof__cpu=1), node(), node(vitprof__cpu=9)], 2),
        ("cpu", [node(vitprof__cpu=1, CPU=1.0)], 1),
    ],
)
def test_every_device_is_counted_once(device: str, nodes: list[Any], count: int) -> None:
    assert count_devices(nodes, wish(device), find_device(device)) == count


@pytest.mark.parametrize(
    ("device", "nodes", "words"),
    [
        (
            "t4",
            [node(accelerator_type__A100=1, GPU=1), node(vitprof__cpu=1)],
            [
                "2 nodes",
                "no node with accelerator_type:T4",
                "accelerator_type:A100, vitprof:cpu",
                "--num-gpus=1",
            ],
        ),
        ("cpu", [node()], ["no node names a device", """--resources='{"vitprof:cpu": 1}'"""]),
        ("cpu", [node(alive=False, vitprof__cpu=1)], ["(0 nodes)"]),
        ("t4", [node(accelerator_type__T4=1)], ["cannot take", "1 GPU, 1 CPU"]),
        ("rtx3080", [node(vitprof__rtx3080=0.5, GPU=1)], ["cannot take", "vitprof:rtx3080"]),
    ],
)
def test_a_cluster_without_the_device_is_told_what_to_start(
    device: str, nodes: list[Any], words: list[str], refused: Callable[..., Any]
) -> None:
    with refused(*words):
        count_devices(nodes, wish(device), find_device(device))
