"""vitprof from Python, on models so small that all of it takes about a minute.

    python examples/notebook.py [FOLDER]

For a real table take `vitprof.plan("vit")`, your own model and your own images.
"""

from __future__ import annotations

import sys
from pathlib import Path

import vitprof

SPACE = Path(__file__).with_name("micro.toml")


def main(folder: Path, epochs: int = 15, points: int = 44, whole_models: int = 6) -> None:
    trained = vitprof.train("vit-micro-8", "digits", epochs=epochs, out=folder / "my-vit")
    print(trained)

    plan = vitprof.plan(space=str(SPACE), points=points, whole_models=whole_models)
    table = vitprof.measure(plan, device="cpu", sessions=1, out=folder / "lut.csv")
    print(table)
    print(table.predict("vit-micro-8"))

    run = vitprof.prune(
        folder / "my-vit",
        table,
        target="0.7x",
        data="digits",
        method="optin",
        out=folder / "pruned",
    )
    print(run)
    limit = f"{0.7 * table.predict('vit-micro-8').ms}ms"
    best = vitprof.search_models(
        str(SPACE), [table], max_latency=limit, proxy="macs", population=12, generations=3
    ).best
    print(best)
    print(table.measure([run.best.spec, best.spec]))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "notebook-run"))
