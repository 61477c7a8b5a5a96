"""`vitprof supernet`: one set of weights for all models of a space, from images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..options.training import (
    Training,
    data_option,
    find_torch_device,
    on_device,
    step_bar,
    take_all_steps,
    train_device_option,
    training_options,
)
from ..output import json_option, note, print_json, print_table
from ..supernet_start import started

if TYPE_CHECKING:
    from ...search.supernet.report import SubnetAccuracy
    from ...search.supernet.sharing import Sharing
    from ...spaces.space import SearchSpace


@click.command(
    epilog="Example: vitprof supernet --space space.toml --data digits --out supernet  |  "
    "torchrun --nproc-per-node 4 -m vitprof supernet --space autovit-xxs --data photos --out net"
)
@click.option("--space", "space_name", required=True,
              help="A search space's name, or a .toml or .json file with one.")  # fmt: skip
@click.option("--checkpoint", type=click.Path(path_type=Path),
              help="Weights of the largest model to start from.")  # fmt: skip
@data_option
@click.option("--validation", type=click.IntRange(1),
              help="Training images to hold out, for the search to judge by. [default: a tenth, "
              "10 a class at least]")  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--sandwich", type=click.IntRange(0), metavar="N",
              help="Train the largest, the smallest and N random subnets in every step, in place "
              "of one random subnet.")  # fmt: skip
@click.option("--distill-in-place", is_flag=True,
              help="With --sandwich: all others learn the largest's answers.")  # fmt: skip
@training_options(epochs=100, learning_rate=1e-3)
@train_device_option
@click.option("--teacher", type=click.Path(path_type=Path),
              help="Folder of a model whose answers count as labels too.")  # fmt: skip
@json_option
def supernet(
    space_name: str, checkpoint: Path | None, source: str, validation: int | None, out: Path,
    sandwich: int | None, distill_in_place: bool, training: Training, train_device: str,
    teacher: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Train a supernet: the largest model of a space, whose weights all its models share.

    An interrupted run goes on when the same command is given again.
    """
    if distill_in_place and sandwich is None:
        raise UserError(
            "--distill-in-place needs a largest subnet in every step; add --sandwich N."
        )
    from ...search.supernet.folder import write_supernet
    from ...search.supernet.objective import SupernetObjective
    from ...search.supernet.onednn_cache import keep_primitives
    from ...search.supernet.recalibration import calibration_images
    from ...search.supernet.report import judged
    from ...search.supernet.sharing import sharing
    from ...search.supernet.supernet import Supernet
    from ...training.fit import read_teacher
    from ...training.loop import TrainingRun
    from ...training.processes import joined_processes
    from ...training.saved_run import SavedRun

    keep_primitives()
    device = find_torch_device(train_device)
    training = on_device(training, device)
    with joined_processes(device) as processes:
        start = started(
            space_name, source, validation, checkpoint, training,
            as_json or not processes.is_first,
        )  # fmt: skip
        space, norm = start.space, start.norm
        options = {
            "checkpoint": str(checkpoint or ""), "sandwich": sandwich,
            "distill_in_place": distill_in_place, "training": vars(training),
            "teacher": str(teacher or ""),
        }  # fmt: skip
        asked = {
            "command": "supernet", "space": space.to_dict(), "data": source,
            "validation": len(start.held_out), **options,
        }  # fmt: skip
        taught = None if teacher is None else read_teacher(teacher, device, start.data, norm)
        with processes.first_before_others():
            saved = SavedRun(out, asked, writes=processes.is_first)
        if checkpoint is not None and processes.is_first:
            note("note: the checkpoint may have been trained on images that are held out here.")
        net = Supernet(start.model)
        objective = SupernetObjective(
            space, lambda: run.progress.step, training.seed, sandwich, distill_in_place, taught
        )
        run = TrainingRun(net, start.data, norm, training, objective, device, processes)
        with step_bar(processes.is_first and not as_json) as show:
            take_all_steps(run, saved, show)
            if not processes.is_first:
                return 0
            found = judged(
                net.eval(), space, start.held_out,
                calibration_images(start.data.train, seed=start.seed), norm, start.seed,
                lambda done, total: show("testing", done, total, "subnets"),
            )  # fmt: skip
        # Before the others leave: torchrun ends all where one of them fails on its way out.
        write_supernet(net, out, norm, start.record(options))
        shared = sharing(space)
        report: dict[str, Any] = {
            "space": space.name,
            "models": space.count(),
            "params": net.spec.params,
            "images": len(start.data.train),
            "held_out": len(start.held_out),
            "epochs": training.epochs,
            "subnets": [subnet.as_dict() for subnet in found],
            "sharing": shared and shared.as_dict(),
            "out": str(out),
        }
        saved.finish(report)
        if as_json:
            print_json(report)
        else:
            _print_report(space, found, shared, len(start.held_out))
            click.echo(f"written: {out}")
    return 0


def _print_report(
    space: SearchSpace, found: list[SubnetAccuracy], shared: Sharing | None, held_out: int
) -> None:
    rows = [
        (s.which, f"{s.spec.params:,}", f"{s.spec.macs / 1e6:.2f}", f"{s.found.top(1):.2%}")
        for s in found
    ]
    click.echo(f"{space.name}: {space.count():,} models, judged by {held_out} images held out")
    print_table(("subnet", "parameters", "MMACs", "top-1"), rows)
    if shared is not None:
        click.echo(
            f"{shared.candidates} candidate blocks share {shared.stored:,} weights; kept apart "
            f"they would have {shared.apart_over_stored:.1f} times as many (eq. 1: "
            f"{shared.efficiency:.3g})."
        )
