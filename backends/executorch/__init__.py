"""ExecuTorch on this machine's CPU: `.pte` programs, by XNNPACK or by the portable kernels."""
