// The measured points of one kind of an op as a full grid, multilinear between its levels:
// tables/grids/grid.py. A block outside is refused.

class FullGrid {
  constructor(op, part, steps) {
    this.op = op;
    this.levels = part.levels;
    this.rows = new Points(op, part.rows);
    this.extra = new Points(op, part.extra);
    this.steps = part.stepped ? steps : null;
    this.strides = op.axes.map((_, i) =>
      this.levels.slice(i + 1).reduce((product, levels) => product * levels.length, 1)
    );
  }

  // The measured point off the grid that is exactly this block; undefined where there is none.
  exact(dims) {
    const row = this.extra.find(dims);
    if (row !== undefined) this.extra.check(row);
    return row;
  }

  // {indices, weights} of the measured points that a block is interpolated from.
  corners(dims) {
    let indices = [0];
    let weights = [1];
    this.op.axes.forEach((axis, i) => {
      const levels = this.levels[i];
      const last = levels.length - 1;
      const above = !this.op.linear.includes(axis) && dims[i] > levels[last];
      if (dims[i] < levels[0] || above) refuseRange(this.op.name, axis, dims[i], levels);
      if (!last) return;
      let cell = 0;
      while (cell < last - 1 && levels[cell + 1] <= dims[i]) cell += 1;
      const fraction = (dims[i] - levels[cell]) / (levels[cell + 1] - levels[cell]);
      const lower = indices.map((index) => index + cell * this.strides[i]);
      const upper = indices.map((index) => index + (cell + 1) * this.strides[i]);
      indices = lower.concat(upper);
      weights = weights
        .map((weight) => weight * (1 - fraction))
        .concat(weights.map((weight) => weight * fraction));
    });
    const scale = this.steps ? stepFactor(this.steps, this.op.axes, this.levels, dims) : 1;
    indices.forEach((index, n) => {
      if (weights[n] !== 0) this.rows.check(index);
    });
    return { indices, weights: weights.map((weight) => weight * scale) };
  }

  distance(dims) {
    return distanceToLevels(this.op, this.levels, dims);
  }
}

// How far dims lie from a grid's levels: axes that are kinds first, then the logarithms.
function distanceToLevels(op, levels, dims) {
  let kinds = 0;
  let off = 0;
  op.axes.forEach((axis, i) => {
    const low = levels[i][0];
    const high = levels[i][levels[i].length - 1];
    if (op.fixed.includes(axis) && low !== dims[i]) kinds += 1;
    off += Math.abs(Math.log(dims[i] / Math.min(Math.max(dims[i], low), high)));
  });
  return [kinds, off];
}
