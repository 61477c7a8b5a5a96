// Sliders of transformer layers: of all of them, or of one.

const MOST_LAYERS = 48;
const LAYER_FIELDS = ["heads", "qk", "v", "mlp"];
const LAYER_LABELS = {
  heads: "heads",
  qk: "Q and K width of a head",
  v: "V width of a head",
  mlp: "MLP width",
};

// ops: {attention, mlp}, the names of a layer's ops; layersOf(spec): those that the sliders change.
function layerSliders(table, ops, where, layersOf) {
  return LAYER_FIELDS.flatMap((field) => {
    const step = field === "heads" ? 1 : 8;
    const [op, wholes] = field === "mlp" ? [ops.mlp, "mlp"] : [ops.attention, field];
    const asked = table.holdsLayers ? [["layer", wholes, where]] : [[op, wholes, where]];
    const range = rangeOf(table, asked, step);
    return slider(
      LAYER_LABELS[field],
      range,
      (spec) => common(layersOf(spec).map((layer) => layer[field])),
      (spec, value) => {
        for (const layer of layersOf(spec)) layer[field] = value;
      }
    );
  });
}

// The attention and MLP of a layer, where it has them.
function layerBlocks(ops, embed, layer, tokens) {
  const found = [];
  if (layer.heads) {
    const { heads, qk, v } = layer;
    found.push(block(ops.attention, { embed, heads, qk, v, tokens }));
  }
  if (layer.mlp) found.push(block(ops.mlp, { embed, mlp: layer.mlp, tokens }));
  return found;
}
