from types import SimpleNamespace

from vitprof.backends.coreml.estimates import EstimatedShare, estimated_shares
from vitprof.backends.coreml.quiet import quiet_coremltools

with quiet_coremltools():
    from coremltools.models import compute_device, compute_plan


def operation(name: str, output: str, blocks=()):
    value = compute_plan.MLModelStructureProgramNamedValueType(
        output, compute_plan.MLModelStructureProgramValueType()
    )
    return compute_plan.MLModelStructureProgramOperation({}, name, [value], list(blocks), None)


def block(*operations):
    return compute_plan.MLModelStructureProgramBlock([], list(operations), [])


class ScriptedPlan:
    """Answers as MLComputePlan does, which only macOS can make."""

    def __init__(self, operations, units, weights) -> None:
        function = compute_plan.MLModelStructureProgramFunction([], block(*operations))
        program = compute_plan.MLModelStructureProgram({"main": function})
        self.model_structure = compute_plan.MLModelStructure(None, program, None)
        self.units = units
        self.weights = weights

    def get_compute_device_usage_for_mlprogram_operation(self, operation):
        name = self.units.get(operation.outputs[0].name)
        if name is None:
            return None
        device = object.__new__(getattr(compute_device, name))
        return compute_plan.MLComputePlanDeviceUsage(device, [device])

    def get_estimated_cost_for_mlprogram_operation(self, operation):
        weight = self.weights.get(operation.outputs[0].name)
        return None if weight is None else compute_plan.MLComputePlanCost(weight)


def test_shares_are_the_plans_and_constants_are_left_out() -> None:
    nested = operation("ios17.relu", "c")
    plan = ScriptedPlan(
        [
            operation("const", "w"),
            operation("ios17.linear", "a"),
            operation("ios17.softmax", "b"),
            operation("cond", "d", [block(operation("ios17.const", "x"), nested)]),
        ],
        units={
            "a": "MLNeuralEngineComputeDevice",
            "b": "MLGPUComputeDevice",
            "c": "MLCPUComputeDevice",
        },
        weights={"a": 0.75, "b": 0.25},
    )
    assert estimated_shares(plan) == [
        EstimatedShare("ios17.linear", "a", "ane", 0.75),
        EstimatedShare("ios17.softmax", "b", "gpu", 0.25),
        EstimatedShare("cond", "d", None, None),
        EstimatedShare("ios17.relu", "c", "cpu", None),
    ]


def test_a_plan_of_no_program_has_no_shares() -> None:
    structure = compute_plan.MLModelStructure(None, None, None)
    assert estimated_shares(SimpleNamespace(model_structure=structure)) == []
