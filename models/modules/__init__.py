"""The layers and blocks as torch modules; parameter names are timm's."""
