// VGG with batch norms: models/families/vgg/spec.py.

FAMILIES.set("vgg", {
  layers: () => 0,

  blocks(spec) {
    const found = [];
    let before = spec.in_channels;
    let side = spec.resolution;
    for (const stage of spec.stages) {
      stage.forEach((width, place) => {
        const pool = place === stage.length - 1 ? 2 : 1;
        const dims = { in_channels: before, out_channels: width, resolution: side, pool };
        found.push(block("conv_norm_relu", dims));
        before = width;
      });
      side = Math.floor(side / 2);
    }
    const { pooled, classes } = spec;
    found.push(block("average_pool", { in_channels: before, resolution: side, pooled }));
    before *= pooled ** 2;
    for (const width of spec.hidden) {
      found.push(block("dense_relu", { in_channels: before, out_channels: width }));
      before = width;
    }
    found.push(block("dense_classifier", { in_channels: before, classes }));
    return found;
  },

  problem: () => null,

  sliders(spec, table) {
    const stages = spec.stages.flatMap((_, n) => {
      const side = spec.resolution / 2 ** n;
      const where = { resolution: side };
      const most = Math.max(8, ...spec.stages.map((stage) => stage.length));
      return [
        ...slider(
          `stage ${n + 1}: width`,
          rangeOf(table, [["conv_norm_relu", "out_channels", where]], 8),
          (s) => common(s.stages[n]),
          (s, value) => { s.stages[n] = s.stages[n].map(() => value); }
        ),
        {
          label: `stage ${n + 1}: depth`,
          min: 1,
          max: most,
          step: 1,
          get: (s) => s.stages[n].length,
          set: (s, count) => {
            const last = s.stages[n][s.stages[n].length - 1];
            s.stages[n] = Array.from({ length: count }, (_, i) => s.stages[n][i] ?? last);
          },
        },
      ];
    });
    const hidden = slider(
      "dense layers: width",
      rangeOf(table, [["dense_relu", "out_channels"]], 8),
      (s) => common(s.hidden),
      (s, value) => { s.hidden = s.hidden.map(() => value); }
    );
    return spec.hidden.length ? [...stages, ...hidden] : stages;
  },
});
