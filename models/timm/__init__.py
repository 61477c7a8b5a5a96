"""timm's names as specs: what each name is made of, in the families' own terms."""
