import subprocess
import sys


def test_importing_the_room_imports_no_heavy_package() -> None:
    program = (
        "import sys, vitprof.backends as b; b.devices(); b.cpu_facts(); b.BackendOptions();"
        "print(*({'torch', 'onnx', 'onnxruntime', 'numpy'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == []


def test_every_public_name_is_there() -> None:
    from vitprof import backends

    assert all(hasattr(backends, name) for name in backends.__all__)
