"""What tests of several rooms need: rows of a table, the check of an error, an ordinary user."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from vitprof.errors import UserError
from vitprof.models import (
    AutoViTSpec,
    Block,
    EfficientViTSpec,
    EfficientViTStage,
    MBConvStage,
    Spec,
    TransformerStage,
    ViTLayer,
    ViTSpec,
    create_model,
)
from vitprof.tables import Row, Setting

pytest_plugins = ["chromium"]

# OpenMP's threads spin while they wait: two workers of two threads each hinder each other on two
# cores. Child processes inherit it, and sessions that ask for threads get them all the same.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No timing decides a test: a first call may import for a second.
settings.register_profile("vitprof", deadline=None)
settings.load_profile("vitprof")

NOBODY = 65534
_NUMBERS = itertools.count()
TOY_WHEEL = Path(__file__).parent / "models" / "families" / "toy_wheel"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a Ray cluster, and the cases that `few` does not name, as markers say."""
    for item in items:
        if "new_ray_cluster" in getattr(item, "fixturenames", ()):
            item.add_marker("cluster")
        few = item.get_closest_marker("few")
        if few and not any(fnmatchcase(item.callspec.id, pattern) for pattern in few.args):
            item.add_marker("long")


@pytest.fixture(scope="session", autouse=True)
def locks_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep device locks, those of child processes too, apart from a real vitprof's here."""
    folder = tmp_path_factory.mktemp("locks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITPROF_LOCK_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what is known of machines, by child processes too, apart from the user's."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITPROF_STATE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def state_of_this_test(state_of_its_own: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a state folder, for a scripted runtime has another speed in every test."""
    folder = state_of_its_own / str(next(_NUMBERS))
    monkeypatch.setenv("VITPROF_STATE", str(folder))
    return folder


@pytest.fixture(scope="session")
def refused() -> Callable[..., contextlib.AbstractContextManager[None]]:
    """Expect a UserError of one sentence that holds all the given words."""

    @contextlib.contextmanager
    def expect(*words: str) -> Iterator[None]:
        with pytest.raises(UserError) as caught:
            yield
        message = str(caught.value)
        assert "\n" not in message
        assert message.rstrip().endswith((".", ")"))
        assert len(message) < 700, message
        for word in words:
            assert word in message, f"{word!r} is not in: {message}"

    return expect


@pytest.fixture(scope="session")
def setting() -> Setting:
    return Setting("cpu", "onnxruntime", "CPUExecutionProvider")


@pytest.fixture(scope="session")
def mlp() -> Callable[..., Block]:
    """Return an MLP block: mlp(embed, mlp, tokens)."""

    def block(embed: int = 16, mlp: int = 32, tokens: int = 5) -> Block:
        return Block.of("mlp", embed=embed, mlp=mlp, tokens=tokens)

    return block


@pytest.fixture(scope="session")
def row_of() -> Callable[..., Row]:
    """Return a stable row of `ms` milliseconds with an interval of 2 % to both sides."""

    def row(subject: Block | Spec, ms: float, **others: Any) -> Row:
        fields: dict[str, Any] = {
            "low_ms": 0.98 * ms,
            "high_ms": 1.02 * ms,
            "min_ms": 0.97 * ms,
            "p10_ms": 0.98 * ms,
            "p90_ms": 1.03 * ms,
            "p99_ms": 1.2 * ms,
            "session_ms": (0.99 * ms, ms, 1.01 * ms),
            "samples": 30,
            "measured_at": "2026-01-02T03:04:05Z",
        }
        return Row(subject, latency_ms=ms, **(fields | others))

    return row


@pytest.fixture(scope="session")
def failed_row() -> Callable[..., Row]:
    """Return the row of a point that could not be measured."""

    def row(subject: Block | Spec, error: str = "the kernel is missing", **others: Any) -> Row:
        return Row(subject, verdict="failed", error=error, **others)

    return row


@pytest.fixture(scope="session")
def specs() -> dict[str, Spec]:
    """Return a small model of each family whose modules can be removed."""
    return {
        "vit": ViTSpec(
            embed=16,
            layers=(ViTLayer(2, 8, 8, 24), ViTLayer(2, 4, 6, 32), ViTLayer(4, 4, 4, 16)),
            resolution=8,
            patch=2,
            classes=10,
            in_channels=1,
            name="small-vit",
        ),
        "autovit": AutoViTSpec(
            mbconvs=(MBConvStage(8, 2, 1, 1), MBConvStage(12, 3, 2, 2)),
            transformers=(
                TransformerStage(12, 16, 3, 2, 6, 6, 24, 1),
                TransformerStage(12, 20, 2, 2, 6, 6, 24, 2),
            ),
            pool_width=20,
            pool_expansion=2,
            stem_width=8,
            resolution=32,
            classes=5,
            in_channels=1,
            name="small-autovit",
        ),
        "efficientvit": EfficientViTSpec(
            stages=tuple(EfficientViTStage(*dims) for dims in ((16, 2, 2), (24, 1, 2), (24, 3, 2))),
            resolution=128,
            classes=5,
            kernels=(3, 1),
            qk=4,
            name="small-efficientvit",
        ),
    }


@pytest.fixture(scope="session")
def randomised() -> Callable[..., Any]:
    """Return a model whose biases, norms and batch statistics are random, so none hides a fault."""
    import torch
    from torch import nn

    def made(spec: Spec, seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        model = create_model(spec)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
                    module.running_mean.normal_(0, 0.3)
                    module.running_var.uniform_(0.5, 2.0)
        return model

    return made


@pytest.fixture(scope="session")
def check_inheritance() -> Callable[[Spec, Spec], None]:
    """Check that what a subnet inherits has its model's names and shapes, within the supernet's."""
    import torch
    from vitprof.models.inheritance.inherited import inherited

    def shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
        with torch.device("meta"):
            return {name: tuple(t.shape) for name, t in create_model(spec).state_dict().items()}

    def check(supernet: Spec, subnet: Spec) -> None:
        found = inherited(supernet, subnet)
        of = shapes(supernet)
        assert {name: part.shape for name, part in found.items()} == shapes(subnet)
        for part in found.values():
            for ranges, size in zip(part.dims, of[part.source], strict=True):
                assert ranges[-1][1] <= size

    return check


@pytest.fixture
def install_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a wheel that is not ours where Python finds it for as long as the test lasts.

    install_wheel(its name, {group: {name: "module:object"}}, module="its text", ...).
    """

    def install(wheel: str, entries: dict[str, dict[str, str]], **modules: str) -> None:
        site = tmp_path / "wheels" / wheel
        info = site / f"{wheel.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {wheel}\nVersion: 1.0\n")
        lines = []
        for group, places in entries.items():
            lines += [f"[{group}]", *(f"{name} = {place}" for name, place in places.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        for name, text in modules.items():
            monkeypatch.delitem(sys.modules, name, raising=False)
            (site / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(str(site))

    return install


@pytest.fixture
def install_toy(install_wheel: Callable[..., None]) -> Callable[..., None]:
    """Install the family "toy"; pairs of texts change its modules first: (old, new)."""

    def install(*changes: tuple[str, str], name: str = "toy") -> None:
        modules = {path.stem: path.read_text() for path in TOY_WHEEL.glob("*.py")}
        for old, new in changes:
            assert any(old in text for text in modules.values())
            modules = {module: text.replace(old, new) for module, text in modules.items()}
        install_wheel("toy-vision", {"vitprof.families": {name: "toy_family:FAMILY"}}, **modules)

    return install


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Give up root's right to write everywhere for the length of a test."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


class RayNodes:
    """A real Ray cluster on this machine: a head that has no device, and nodes made as needed.

    Each node has a lock folder of its own, as machines have; its name is the node's.
    """

    def __init__(
        self, folder: Path, head: dict[str, float] | None = None, client_port: int | None = None
    ) -> None:
        from ray.cluster_utils import Cluster

        self.folder = folder
        # A node that was killed is noticed within seconds, a starved one is waited for.
        checks = {"period_ms": 1000, "failure_threshold": 5, "timeout_ms": 5000}
        config = {f"health_check_{name}": value for name, value in checks.items()}
        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 1,
                "resources": head or {},
                "include_dashboard": False,
                "ray_client_server_port": client_port,
                "_system_config": config,
                "env_vars": {"VITPROF_LOCK_DIR": str(folder / "head")},
            },
        )
        self._nodes: dict[str, Any] = {}

    @property
    def address(self) -> str:
        return self.cluster.address

    def add(self, *names: str, num_gpus: int = 0, **resources: float) -> None:
        """Make the nodes that are not there, by default with this machine's CPU as the device."""
        for name in names:
            if name not in self._nodes:
                self._nodes[name] = self.cluster.add_node(
                    num_cpus=1,
                    num_gpus=num_gpus,
                    resources=resources or {"vitprof:cpu": 1},
                    env_vars={"VITPROF_LOCK_DIR": str(self.folder / name)},
                )

    def kill(self, *names: str) -> None:
        """Kill nodes as a power cut does."""
        for name in names:
            self.cluster.remove_node(self._nodes.pop(name), allow_graceful=False)

    def drop(self, *names: str) -> None:
        """See to it that nodes are not there."""
        self.kill(*(name for name in names if name in self._nodes))

    @property
    def ip(self) -> str:
        return self.address.rpartition(":")[0]

    def id_of(self, name: str) -> str:
        return self._nodes[name].node_id

    def close(self) -> None:
        self.cluster.shutdown()


@pytest.fixture(scope="module")
def new_ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RayNodes]]:
    """Return a new cluster: new_ray_cluster(head={"vitprof:cpu": 1}). All end with the module."""
    # Short, for Ray keeps sockets there; and not a real cluster's folder.
    temporary = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("RAY_TMPDIR", temporary)
        # As vitprof does before it imports Ray, which a test may do first.
        patch.setenv("RAY_DEDUP_LOGS_SKIP_REGEX", ".")

        def new(**arguments: Any) -> RayNodes:
            nodes = RayNodes(tmp_path_factory.mktemp("nodes"), **arguments)
            stack.callback(nodes.close)
            return nodes

        yield new


@pytest.fixture(scope="module")
def ray_nodes(new_ray_cluster: Callable[..., RayNodes]) -> RayNodes:
    """One cluster for the tests of a module; each adds the nodes it needs."""
    return new_ray_cluster()


@pytest.fixture(scope="session")
def write_mask2former_folder() -> Callable[..., Any]:
    """Write a tiny Mask2Former with random weights, as transformers does, and return it.

    Images of 32 pixels times 2, 3, ...; Swin: windows of 2, patches of 2, four stages.
    """

    def write(folder: Path, window: int = 2, **backbone: Any) -> Any:
        import torch
        from transformers import (
            Mask2FormerConfig,
            Mask2FormerForUniversalSegmentation,
            SwinConfig,
        )
        from transformers.utils import logging

        swin = SwinConfig(
            **{
                "image_size": 64,
                "patch_size": 2,
                "window_size": window,
                "embed_dim": 8,
                "depths": [2, 1, 2, 1],
                "num_heads": [1, 2, 2, 4],
                "mlp_ratio": 2.0,
                "out_features": ["stage1", "stage2", "stage3", "stage4"],
                **backbone,
            }
        )
        config = Mask2FormerConfig(
            backbone_config=swin,
            feature_size=32,
            mask_feature_size=32,
            hidden_dim=32,
            encoder_feedforward_dim=32,
            encoder_layers=1,
            decoder_layers=2,
            num_attention_heads=2,
            dim_feedforward=32,
            num_queries=5,
            num_labels=4,
        )
        torch.manual_seed(0)
        model = Mask2FormerForUniversalSegmentation(config).eval()
        with torch.no_grad():
            # transformers' own initial weights leave the Swin all but linear.
            for parameter in model.model.pixel_level_module.encoder.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        logging.disable_progress_bar()
        model.save_pretrained(folder)
        record = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.25]}
        (folder / "preprocessor_config.json").write_text(json.dumps(record))
        return model

    return write
