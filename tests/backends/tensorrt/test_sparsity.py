from vitprof.backends.tensorrt.sparsity import choices_in_log, choices_of_inspector, sparsity_report

# The form in which TensorRT's builder reports on a GPU.
LOG = [
    "Detected 1 inputs and 1 output network tensors.",
    "(Sparsity) Layers eligible for sparse math: /fc1/MatMul, /fc2/MatMul + /fc2/Add, Conv_3",
    "(Sparsity) TRT inference plan picked sparse implementation for layers: /fc2/MatMul + /fc2/Add",
]


def test_what_the_builder_says_it_picked_is_read_from_its_log() -> None:
    assert choices_in_log(LOG) == {
        "/fc1/MatMul": False,
        "/fc2/MatMul": True,
        "/fc2/Add": True,
        "Conv_3": False,
    }


def test_a_log_that_says_nothing_of_sparsity_tells_of_no_layer() -> None:
    assert choices_in_log(LOG[:1]) == {}
    assert choices_in_log([]) == {}


def test_none_picked_is_not_the_same_as_unknown() -> None:
    told = choices_in_log([LOG[1], LOG[2].split(": ")[0] + ":"])
    assert told == dict.fromkeys(["/fc1/MatMul", "/fc2/MatMul", "/fc2/Add", "Conv_3"], False)


def test_an_inspector_that_names_kernels_tells_which_are_sparse() -> None:
    information = """{"Layers": [
        {"Name": "/fc1/MatMul + /fc1/Add", "LayerType": "gemm",
         "TacticName": "sm80_xmma_sparse_gemm_f16f16_f16f32_f32_tn_n_tilesize128x64x64"},
        {"Name": "fused", "Metadata": "[ONNX Layer: /fc2/MatMul]",
         "TacticName": "sm80_xmma_gemm_f16f16_f16f32_f32_tn_n_tilesize128x64x64"},
        {"Name": "/softmax/Softmax", "LayerType": "SoftMax", "TacticName": ""}
    ], "Bindings": ["input", "output"]}"""
    assert choices_of_inspector(information) == {
        "/fc1/MatMul": True,
        "/fc1/Add": True,
        "fused": False,
        "/fc2/MatMul": False,
    }


def test_an_inspector_that_tells_names_only_or_nonsense_tells_of_no_layer() -> None:
    for information in ('{"Layers": ["/fc1/MatMul"]}', '{"Layers": []}', "{}", "[]", "no", "null"):
        assert choices_of_inspector(information) == {}


def test_a_choice_reaches_the_layer_of_its_name_and_others_stay_unknown() -> None:
    import torch

    module = torch.nn.Sequential(torch.nn.Linear(16, 8), torch.nn.Linear(8, 8))
    report = sparsity_report(module, "fp16", choices={"0": True})
    assert [(layer.name, layer.chosen) for layer in report] == [("0", True), ("1", None)]
