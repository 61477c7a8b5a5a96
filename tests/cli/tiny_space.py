"""A search space of small ViTs, as a user would write one."""

TINY_VITS = """
family = "vit"
resolution = 16
patch = 8
classes = 3
embed = [16, 24]
depth = [1, 2]
heads = [1, 2]
qk = 8
mlp = [16, 32]
"""
