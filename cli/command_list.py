"""The commands: where each lives and its summary, predicted without importing any of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Listed:
    """A command in the list of `vitprof --help`.

    `summary` is the first paragraph of its own help. `module`, in `commands`, is called as the
    command is, and holds a click command of the same name, or `attribute`. `resumes`: after an
    interruption the same command continues.
    """

    summary: str
    attribute: str = ""
    resumes: bool = False

    def home(self, name: str) -> tuple[str, str]:
        """Return the command's module and its attribute there."""
        module = name.replace("-", "_")
        return module, self.attribute or module


SECTIONS: dict[str, dict[str, Listed]] = {
    "Measure": {
        "measure": Listed(
            "Measure a latency table of this machine, or with --ray of a fleet's machines.",
            resumes=True,
        ),
        "build": Listed(
            "Compile everything that measuring a table of a device needs, into one file."
        ),
        "bench": Listed("Measure whole models on this machine: latency and images per second."),
        "bench-attention": Listed(
            "Time fused against plain attention: training steps and inference, of a model and a "
            "block."
        ),
        "breakdown": Listed(
            "Divide the run time of whole models by class of operation, and by block and node."
        ),
    },
    "Ask a table": {
        "transfer": Listed(
            "Make a table for a new device from few measured points and the tables of others."
        ),
        "predict": Listed("Predict a model's latency from a table, and show where the time goes."),
        "gate": Listed("Judge models by latency budgets, or by measuring them against a base."),
        "validate": Listed("Measure random models that are not in the table, and compare."),
        "calibrate": Listed(
            "Fit the line from the sum of blocks to whole models, and store it in the table."
        ),
        "compare": Listed(
            "Compare models by MACs and by latency, and show which pairs MACs get wrong."
        ),
        "variants": Listed(
            "Rank a model's variants by predicted latency, and show what each choice costs."
        ),
        "report": Listed(
            "Make one HTML file of tables and runs, with a calculator; it needs no network."
        ),
        "ceilings": Listed("Measure the ceilings of a table's device: matrix products and memory."),
        "table": Listed("Inspect, export, import, merge and share tables."),
    },
    "Obey a table (shrink, train)": {
        "train": Listed(
            "Train a model, from scratch or from a checkpoint, and report its accuracy.",
            resumes=True,
        ),
        "supernet": Listed(
            "Train a supernet: one set of weights that all models of a space share.", resumes=True
        ),
        "distill": Listed(
            "Train a small model on labels and on the outputs of a large one; measure both side "
            "by side.",
            resumes=True,
        ),
        "eval": Listed("Report top-1, top-3 and top-5 accuracy on test images, in fp32.", "eval_"),
        "impact": Listed(
            "Remove each module of a trained model in turn: points of accuracy lost per "
            "millisecond saved."
        ),
        "prune": Listed("Make a trained model smaller until it meets a latency.", resumes=True),
        "prune-heads": Listed(
            "Remove attention heads level by level: those whose weights have the smallest norm.",
            resumes=True,
        ),
        "quantize": Listed(
            "Quantize a model to int8; measure size, accuracy, latency and memory beside fp32.",
        ),
    },
    "Obey a table (search, choose)": {
        "search": Listed(
            "Find the best model of a search space that keeps every limit.", resumes=True
        ),
        "choose": Listed(
            "Find the best variant within limits from few measurements, without training.",
            resumes=True,
        ),
        "pipeline": Listed(
            "Run a once-trained model's stages: training, attention timing, heads, students, int8, "
            "choice.",
            resumes=True,
        ),
    },
    "Look up": {
        "devices": Listed(
            "List the known devices: whether each can be measured here, or why not and what to do."
        ),
        "doctor": Listed("Show what is installed, what is missing, and what disturbs measuring."),
        "models": Listed("List the models known by name, with MACs and parameters."),
        "space": Listed("Show what a search space holds: a NAME, or a .toml or .json file."),
        "completion": Listed(
            "Print the script with which a shell completes vitprof's commands and options."
        ),
        "check-plugin": Listed(
            "Check whether a family, backend, device or method keeps its promises."
        ),
        "schema": Listed(
            "Print the JSON Schema of a command's JSON output, or of a table's header and rows."
        ),
    },
}
COMMANDS = {name: listed for section in SECTIONS.values() for name, listed in section.items()}
