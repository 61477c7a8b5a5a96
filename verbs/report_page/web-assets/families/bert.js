// BERT: models/families/bert/spec.py.

const BERT_OPS = { attention: "attention", mlp: "mlp" };

FAMILIES.set("bert", {
  layers: (spec) => spec.layers.length,

  blocks(spec) {
    const { embed, vocab, positions, types, tokens, classes } = spec;
    return [
      block("text_embedding", { embed, vocab, positions, types, tokens }),
      ...spec.layers.flatMap((layer) => layerBlocks(BERT_OPS, embed, layer, tokens)),
      block("text_classifier", { embed, classes, tokens }),
    ];
  },

  problem(spec) {
    return spec.tokens > spec.positions
      ? `${spec.tokens} tokens are more than the ${spec.positions} positions of the weights`
      : null;
  },

  sliders(spec, table, layersOf) {
    const where = { tokens: spec.tokens };
    const ends = ["text_embedding", "text_classifier"];
    const ops = ["attention", "mlp", ...ends];
    const embed = rangeOf(table, ops.map((op) => [op, "embed", where]), 8);
    const tokens = rangeOf(table, ops.map((op) => [op, "tokens"]), 8);
    return [
      ...slider("embed width", embed, (s) => s.embed, (s, value) => { s.embed = value; }),
      lengthSlider("depth", 1, MOST_LAYERS, (s) => s.layers),
      ...layerSliders(table, BERT_OPS, where, layersOf),
      ...slider("tokens", tokens, (s) => s.tokens, (s, value) => { s.tokens = value; }),
    ];
  },
});
