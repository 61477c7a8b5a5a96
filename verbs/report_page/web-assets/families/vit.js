// Plain Vision Transformers: models/families/vit/spec.py.

const VIT_DETAILS = {
  class_token: true,
  registers: 0,
  prefix_positions: true,
  pool: "class",
  final_norm: "tokens",
  pre_norm: false,
  layer_scale: false,
  qkv_bias: true,
  qk_norm: false,
  activation: "gelu",
};
const VIT_MLPS = {
  gelu: "mlp",
  gelu_tanh: "mlp_gelu_tanh",
  quick_gelu: "mlp_quick_gelu",
  swiglu: "swiglu_mlp",
};

function vitShape(spec) {
  const details = { ...VIT_DETAILS, ...spec.details };
  const prefix = Number(details.class_token) + details.registers + Number(spec.distilled);
  const tokens = Math.floor(spec.resolution / spec.patch) ** 2 + prefix;
  const ops = {
    attention: details.qk_norm ? "normed_attention" : "attention",
    mlp: VIT_MLPS[details.activation],
  };
  return { details, prefix, tokens, ops };
}

function vitEnd(spec, { details, tokens }, left) {
  const { embed, classes } = spec;
  if (details.pool === "mean") {
    return classes
      ? block("pooled_tokens_classifier", { embed, tokens, classes })
      : block("mean_features", { embed, tokens });
  }
  if (!classes) return block("features", { embed, tokens });
  const heads = spec.distillation_head ? 2 : 1;
  return block("classifier", { embed, heads, classes, tokens: left });
}

// Weights that the blocks do not count.
function vitMoreParams(spec) {
  const { details, prefix } = vitShape(spec);
  const { embed } = spec;
  let more = details.prefix_positions ? 0 : -prefix * embed;
  if (details.pre_norm) more += embed;
  if (details.final_norm === "none") more -= 2 * embed;
  for (const layer of spec.layers) {
    if (details.layer_scale) more += embed * (Number(layer.heads > 0) + Number(layer.mlp > 0));
    if (!details.qkv_bias) more -= layer.heads * (2 * layer.qk + layer.v);
  }
  return more;
}

FAMILIES.set("vit", {
  layers: (spec) => spec.layers.length,

  blocks(spec) {
    const shape = vitShape(spec);
    const { prefix, tokens, ops } = shape;
    const { embed } = spec;
    const image = { in_channels: spec.in_channels, resolution: spec.resolution };
    const stem = { embed, ...image, kernel: spec.patch };
    const found = [
      prefix
        ? block("patch_embed", { ...stem, prefix })
        : block("prefixless_patch_embed", stem),
    ];
    let left = tokens;
    spec.layers.forEach((layer, i) => {
      const merged = spec.merges[i] || 0;
      const sized = left < tokens ? { ...ops, attention: "proportional_attention" } : ops;
      const [attention] = layer.heads ? layerBlocks(sized, embed, { ...layer, mlp: 0 }, left) : [];
      if (attention) found.push(attention);
      if (merged) {
        const { heads, qk } = layer;
        found.push(block("bipartite_merging", { embed, heads, qk, tokens: left, merged }));
      }
      found.push(...layerBlocks(ops, embed, { ...layer, heads: 0 }, left - merged));
      left -= merged;
    });
    found.push(vitEnd(spec, shape, left));
    return found;
  },

  moreParams: vitMoreParams,

  problem(spec) {
    if (spec.resolution % spec.patch) {
      return `resolution ${spec.resolution} is not a multiple of patch ${spec.patch}`;
    }
    const { prefix, tokens } = vitShape(spec);
    let left = tokens;
    for (const merged of spec.merges) {
      const most = Math.floor((left - prefix) / 2);
      if (merged > most) return `a layer of ${left} tokens merges at most ${most} of them`;
      left -= merged;
    }
    return null;
  },

  sliders(spec, table, layersOf) {
    const { prefix, ops } = vitShape(spec);
    const where = table.holdsLayers ? {} : { tokens: vitShape(spec).tokens };
    const op = table.holdsLayers ? "layer" : ops.attention;
    const embed = rangeOf(
      table,
      [[op, "embed", where], [ops.mlp, "embed", where], ["patch_embed", "embed"], ["classifier", "embed"]],
      8
    );
    const lengths = rangeOf(
      table,
      [[op, "tokens"], [ops.mlp, "tokens"], ["classifier", "tokens"]],
      1
    );
    const image = rangeOf(table, [["patch_embed", "resolution", { kernel: spec.patch }]], spec.patch);
    const sides = lengths && [lengths.min, lengths.max].map((n) => Math.sqrt(Math.max(n - prefix, 1)));
    const resolution = image && sides && {
      min: Math.max(image.min, Math.ceil(sides[0]) * spec.patch),
      max: Math.min(image.max, Math.floor(sides[1]) * spec.patch),
      step: spec.patch,
    };
    const merging = table.ops.has("bipartite_merging");
    return [
      ...slider("embed width", embed, (s) => s.embed, (s, value) => { s.embed = value; }),
      withMerges(lengthSlider("depth", 1, MOST_LAYERS, (s) => s.layers)),
      ...layerSliders(table, ops, where, layersOf),
      ...(resolution && resolution.min < resolution.max
        ? slider("image side (tokens)", resolution, (s) => s.resolution, (s, value) => { s.resolution = value; })
        : []),
      ...(merging
        ? slider(
            "tokens merged a layer",
            { min: 0, max: 40, step: 1 },
            (s) => common(s.merges),
            (s, value) => { s.merges = s.layers.map(() => value); }
          )
        : []),
    ];
  },
});

function withMerges(depth) {
  return {
    ...depth,
    set: (spec, count) => {
      depth.set(spec, count);
      const last = spec.merges[spec.merges.length - 1] || 0;
      spec.merges = spec.layers.map((_, i) => spec.merges[i] ?? last);
    },
  };
}
