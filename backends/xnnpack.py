"""XNNPACK, which LiteRT and ExecuTorch give their operators to."""

# Its matrix kernels work on 32 columns at once where an x86 processor has AVX-512, and on fewer
# elsewhere.
TILE_WIDTH = 32
