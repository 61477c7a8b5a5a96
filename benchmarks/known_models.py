"""Models of vitprof's families that timm exports, and what vitprof calls them."""

# vitprof's names by timm's.
KNOWN = {
    "deit_tiny_patch16_224": "deit-tiny",
    "deit_small_patch16_224": "deit-small",
    "deit_base_patch16_224": "deit-base",
    "swin_tiny_patch4_window7_224": "swin-tiny",
    **{f"efficientvit_m{n}": f"efficientvit-m{n}" for n in range(6)},
}
