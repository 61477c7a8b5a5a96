// The Swin Transformer: models/families/swin/spec.py.

const SWIN_OPS = { attention: "window_attention", mlp: "mlp" };

function swinSide(spec, stage) {
  return Math.floor(Math.floor(spec.resolution / spec.patch) / 2 ** stage);
}

FAMILIES.set("swin", {
  layers: () => 0,

  blocks(spec) {
    const { in_channels, resolution, patch } = spec;
    const first = spec.stages[0].embed;
    const found = [block("swin_embed", { embed: first, in_channels, resolution, kernel: patch })];
    spec.stages.forEach((stage, n) => {
      const side = swinSide(spec, n);
      const { embed } = stage;
      if (n) {
        const before = spec.stages[n - 1].embed;
        const merging = { embed: before, out_channels: embed, resolution: swinSide(spec, n - 1) };
        found.push(block("token_merging", merging));
      }
      stage.layers.forEach((layer, i) => {
        if (layer.heads) {
          const { heads, qk, v } = layer;
          const window = Math.min(spec.window, side);
          const shift = i % 2 === 1 && spec.window > 1 && spec.window < side ? 2 : 1;
          const dims = { embed, heads, qk, v, window, resolution: side, shift };
          found.push(block("window_attention", dims));
        }
        if (layer.mlp) found.push(block("mlp", { embed, mlp: layer.mlp, tokens: side ** 2 }));
      });
    });
    if (spec.classes) {
      const last = spec.stages.length - 1;
      const tokens = swinSide(spec, last) ** 2;
      const dims = { embed: spec.stages[last].embed, tokens, classes: spec.classes };
      found.push(block("pooled_tokens_classifier", dims));
    }
    return found;
  },

  problem(spec) {
    for (let n = 0; n < spec.stages.length; n += 1) {
      const side = swinSide(spec, n);
      if (side > spec.window && side % spec.window) {
        return `window ${spec.window} does not divide the map of ${side} tokens of stage ${n + 1}`;
      }
    }
    return null;
  },

  sliders(spec, table) {
    return spec.stages.flatMap((_, n) => {
      const side = swinSide(spec, n);
      const attention = { resolution: side, window: Math.min(spec.window, side) };
      const stage = (s) => s.stages[n];
      const asked = [
        ["window_attention", "embed", attention],
        ["mlp", "embed", { tokens: side ** 2 }],
        n ? ["token_merging", "out_channels", { resolution: swinSide(spec, n - 1) }]
          : ["swin_embed", "embed"],
      ];
      const name = `stage ${n + 1}`;
      const layers = layerSliders(
        table,
        SWIN_OPS,
        attention,
        (s) => stage(s).layers
      ).map((one) => ({ ...one, label: `${name}: ${one.label}` }));
      return [
        ...slider(
          `${name}: width`,
          rangeOf(table, asked, 8),
          (s) => stage(s).embed,
          (s, value) => { stage(s).embed = value; }
        ),
        lengthSlider(`${name}: depth`, 1, MOST_LAYERS, (s) => stage(s).layers),
        ...layers.filter((one) => !one.label.endsWith(LAYER_LABELS.mlp)),
        ...slider(
          `${name}: ${LAYER_LABELS.mlp}`,
          rangeOf(table, [["mlp", "mlp", { tokens: side ** 2 }]], 8),
          (s) => common(stage(s).layers.map((layer) => layer.mlp)),
          (s, value) => { for (const layer of stage(s).layers) layer.mlp = value; }
        ),
      ];
    });
  },
});
