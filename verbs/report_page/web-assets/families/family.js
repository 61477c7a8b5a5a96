// What a family says: its blocks, what makes a spec impossible, and its sliders.
//
// A spec is what `Spec.to_dict` gives. A slider has `get(spec)`, `set(spec, value)` on a copy, and
// either `values` to choose from or `min`, `max` and `step`.

const FAMILIES = new Map();

function block(op, dims) {
  return { op, dims };
}

// Round half to even, as Python does.
function rounded(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 ? floor + 1 : floor;
}

const ACTIVATIONS = ["relu", "hardswish", "gelu", "silu"];
const NORMS = ["batch", "layer"];

// The dim that stands for a choice: its place in the list, from 1.
function code(choices, value) {
  return choices.indexOf(value) + 1;
}

// The range of an axis that all these ops of the table share, as a slider takes it.
// asked: [op, axis, {other axis: value}] each; an op that the table lacks says nothing.
function rangeOf(table, asked, step) {
  let low = 1;
  let high = Infinity;
  for (const [op, axis, where] of asked) {
    const levels = table.ops.has(op) ? table.ops.get(op).levelsOf(axis, where) : [];
    if (!levels.length) continue;
    low = Math.max(low, levels[0]);
    high = Math.min(high, levels[levels.length - 1]);
  }
  if (high === Infinity || low > high) return null;
  return { min: low, max: high, step: low % step || high % step ? 1 : step };
}

// The measured values of an axis between which nothing is interpolated.
function kindsOf(table, op, axis, where) {
  const levels = table.ops.has(op) ? table.ops.get(op).levelsOf(axis, where) : [];
  return levels.length ? { values: levels } : null;
}

// A slider, or nothing where the table does not say its range.
function slider(label, range, get, set) {
  return range ? [{ label, ...range, get, set }] : [];
}

// A slider of a list's length: it grows by copies of its last element.
function lengthSlider(label, least, most, listOf) {
  return {
    label,
    min: least,
    max: most,
    step: 1,
    get: (spec) => listOf(spec).length,
    set: (spec, count) => {
      const list = listOf(spec);
      while (list.length > count) list.pop();
      while (list.length < count) list.push({ ...list[list.length - 1] });
    },
  };
}

// The value that all have, or the mean where they differ.
function common(values) {
  if (!values.length) return 0;
  if (values.every((value) => value === values[0])) return values[0];
  return Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);
}
