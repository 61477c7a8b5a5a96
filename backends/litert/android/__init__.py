"""LiteRT on an Android phone, by its `benchmark_model` over `adb`."""
