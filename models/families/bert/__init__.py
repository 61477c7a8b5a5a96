"""BERT for classification (Devlin et al. 2019)."""

from __future__ import annotations

from ..family import Family

FAMILY = Family(
    name="bert",
    title="BERT",
    package=__name__,
    takes="texts",
    spec=".spec:BertSpec",
    known=".known:known_berts",
    ops=".ops:OPS",
    module=".model:Bert",
    blocks=".blocks:BLOCKS",
    space="....spaces.bert:BertSpace",
    hugging_face={
        "bert": ".hugging_face:bert_spec_from_config",
    },
    rename=".checkpoint_names:bert_names",
    structures=".structures:bert_structures",
    with_units=".structures:bert_with_units",
)
