"""BERT for classification (Devlin et al. 2019)."""
