// EfficientViT: models/families/efficientvit/spec.py.

const STEM_STRIDE = 16;

function efficientvitSides(spec) {
  const sides = [Math.floor(spec.resolution / STEM_STRIDE)];
  while (sides.length < spec.stages.length) {
    sides.push(Math.floor((sides[sides.length - 1] + 1) / 2));
  }
  return sides;
}

// The dim that stands for the kernels of the heads: 7, 5, 3, 3 is 753.
function kernelsCode(kernels, heads) {
  const digits = kernels.slice(0, heads);
  while (digits.length > 1 && digits[digits.length - 1] === digits[digits.length - 2]) digits.pop();
  return Number(digits.join(""));
}

function qkOf(spec, stage) {
  return Array.isArray(spec.qk) ? spec.qk[stage] : spec.qk;
}

FAMILIES.set("efficientvit", {
  layers: () => 0,

  blocks(spec) {
    const activation = code(ACTIVATIONS, spec.activation);
    const norm = code(NORMS, spec.norm);
    const sides = efficientvitSides(spec);
    const ffn = (embed, resolution) => {
      const mlp = Math.max(1, rounded(spec.ffn_ratio * embed));
      const one = block("ffn", { embed, mlp, resolution, activation, norm });
      return spec.dwconv ? [block("dwconv", { embed, resolution, kernel: 3, norm }), one] : [one];
    };
    const { in_channels, resolution, classes } = spec;
    const first = spec.stages[0].embed;
    const found = [
      block("conv_stem", { embed: first, in_channels, resolution, activation, norm }),
    ];
    spec.stages.forEach((stage, n) => {
      const { embed, heads } = stage;
      const side = sides[n];
      if (n) {
        const before = spec.stages[n - 1].embed;
        const merging = { in_channels: before, out_channels: embed, resolution: sides[n - 1] };
        found.push(...ffn(before, sides[n - 1]));
        found.push(block("patch_merging", { ...merging, activation, norm }));
        found.push(...ffn(embed, side));
      }
      const attention = block("cga", {
        embed,
        heads,
        qk: qkOf(spec, n),
        v: Math.max(1, rounded((spec.v_ratio * embed) / heads)),
        resolution: side,
        window: Math.min(spec.window, side),
        kernels: kernelsCode(spec.kernels, heads),
        attention: code(["cga", "mhsa"], spec.attention),
        cascade: spec.cascade ? 2 : 1,
        activation,
        norm,
      });
      for (let layer = 0; layer < stage.depth; layer += 1) {
        for (let i = 0; i < spec.ffns_before; i += 1) found.push(...ffn(embed, side));
        found.push(attention);
        for (let i = 0; i < spec.ffns_after; i += 1) found.push(...ffn(embed, side));
      }
    });
    const last = spec.stages.length - 1;
    const end = { embed: spec.stages[last].embed, resolution: sides[last], classes, norm };
    found.push(block("pooled_classifier", end));
    return found;
  },

  problem(spec) {
    if (spec.stages[0].embed % 8) return "the first stage's width is not a multiple of 8";
    const wrong = spec.stages.find((stage) => stage.embed % stage.heads);
    return wrong ? `${wrong.heads} heads do not divide the width ${wrong.embed}` : null;
  },

  sliders(spec, table) {
    const sides = efficientvitSides(spec);
    return [
      ...spec.stages.flatMap((_, n) => {
        const stage = (s) => s.stages[n];
        const where = { resolution: sides[n] };
        const name = `stage ${n + 1}`;
        const attention = { ...where, heads: spec.stages[n].heads };
        const width = rangeOf(table, [["cga", "embed", attention], ["ffn", "embed", where]], 8);
        return [
          ...slider(
            `${name}: width`,
            width,
            (s) => stage(s).embed,
            (s, value) => { stage(s).embed = value; }
          ),
          {
            label: `${name}: depth`,
            min: 1,
            max: 12,
            step: 1,
            get: (s) => stage(s).depth,
            set: (s, value) => { stage(s).depth = value; },
          },
          ...slider(
            `${name}: heads`,
            kindsOf(table, "cga", "heads", where),
            (s) => stage(s).heads,
            (s, value) => { stage(s).heads = value; }
          ),
        ];
      }),
      ...slider(
        "Q and K width of a head",
        rangeOf(table, [["cga", "qk"]], 4),
        (s) => common(s.stages.map((_, n) => qkOf(s, n))),
        (s, value) => { s.qk = value; }
      ),
      { label: "FFN ratio", min: 1, max: 4, step: 0.25, get: (s) => s.ffn_ratio, set: (s, value) => { s.ffn_ratio = value; } },
      { label: "V ratio", min: 0.25, max: 1, step: 0.05, get: (s) => s.v_ratio, set: (s, value) => { s.v_ratio = value; } },
    ];
  },
});
