// AutoViT: models/families/autovit/spec.py.

FAMILIES.set("autovit", {
  layers: () => 0,

  blocks(spec) {
    const activation = code(ACTIVATIONS, spec.activation);
    const found = [
      block("conv", {
        in_channels: spec.in_channels,
        out_channels: spec.stem_width,
        kernel: spec.stem_kernel,
        stride: 2,
        resolution: spec.resolution,
        activation,
      }),
    ];
    let channels = spec.stem_width;
    let side = Math.ceil(spec.resolution / 2);
    const mbconv = (width, expansion, kernel, stride) => {
      const shape = { in_channels: channels, out_channels: width, expansion, kernel, stride };
      found.push(block("mbconv", { ...shape, resolution: side, activation }));
      channels = width;
      side = Math.ceil(side / stride);
    };
    for (const { width, depth, expansion, stride, kernel } of spec.mbconvs) {
      for (let i = 0; i < depth; i += 1) mbconv(width, expansion, kernel, i ? 1 : stride);
    }
    for (const stage of spec.transformers) {
      const { embed, heads, qk, v, mlp, depth, kernel } = stage;
      mbconv(stage.channels, stage.expansion, kernel, stage.stride);
      const layers = { embed, heads, qk, v, mlp, depth };
      const around = { kernel, patch: spec.patch, resolution: side, activation };
      found.push(block("mobilevit", { in_channels: channels, ...layers, ...around }));
    }
    const pooled = {
      in_channels: channels,
      mlp: spec.pool_expansion * channels,
      out_channels: spec.pool_width,
      resolution: side,
      activation,
    };
    found.push(block("mbpool", pooled));
    found.push(block("linear_classifier", { embed: spec.pool_width, classes: spec.classes }));
    return found;
  },

  problem(spec) {
    let side = Math.ceil(spec.resolution / 2);
    for (const { stride } of spec.mbconvs) side = Math.ceil(side / stride);
    for (const { stride } of spec.transformers) {
      side = Math.ceil(side / stride);
      if (side % spec.patch) return `patch ${spec.patch} does not divide the map of ${side}`;
    }
    return null;
  },

  sliders(spec, table) {
    const direct = (label, range, list, n, field) =>
      slider(
        label,
        range,
        (s) => s[list][n][field],
        (s, value) => { s[list][n][field] = value; }
      );
    let side = spec.resolution / 2;
    const convolutions = spec.mbconvs.flatMap((stage, n) => {
      const where = { resolution: side, expansion: stage.expansion, stride: stage.stride };
      side /= stage.stride;
      const name = `MBConv ${n + 1}`;
      const width = kindsOf(table, "mbconv", "out_channels", where);
      return [
        ...direct(`${name}: width`, width, "mbconvs", n, "width"),
        ...direct(`${name}: depth`, { min: 1, max: 8, step: 1 }, "mbconvs", n, "depth"),
      ];
    });
    const transformers = spec.transformers.flatMap((stage, n) => {
      const before = { resolution: side, expansion: stage.expansion, stride: stage.stride };
      side /= stage.stride;
      const where = { resolution: side };
      const name = `transformer ${n + 1}`;
      const range = (field, step) => rangeOf(table, [["mobilevit", field, where]], step);
      return [
        ...direct(
          `${name}: channels`,
          kindsOf(table, "mbconv", "out_channels", before),
          "transformers",
          n,
          "channels"
        ),
        ...[["embed", 8], ["depth", 1], ["heads", 1], ["mlp", 8]].flatMap(([field, step]) =>
          direct(`${name}: ${LAYER_LABELS[field] || field}`, range(field, step), "transformers", n, field)
        ),
      ];
    });
    return [
      ...slider(
        "stem width",
        kindsOf(table, "conv", "out_channels"),
        (s) => s.stem_width,
        (s, value) => { s.stem_width = value; }
      ),
      ...convolutions,
      ...transformers,
      ...slider(
        "pooled width",
        rangeOf(table, [["mbpool", "out_channels"], ["linear_classifier", "embed"]], 8),
        (s) => s.pool_width,
        (s, value) => { s.pool_width = value; }
      ),
    ];
  },
});
