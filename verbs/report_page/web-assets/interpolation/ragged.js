// Measured points that span no full grid, line by line, axis after axis: tables/grids/ragged.py.

class RaggedGrid {
  constructor(op, part) {
    this.op = op;
    this.levels = part.levels;
    this.rows = new Points(op, part.rows);
    const powers = op.axes.map((axis) => (op.squared.includes(axis) ? 2 : 1));
    this.slice = new Slice(this.rows.dims.map((dims, row) => [dims, row]), powers);
  }

  exact() {
    return undefined;
  }

  corners(dims) {
    const found = this.slice.weights(dims);
    if (found === null) this.refuse(dims);
    const indices = [...found.keys()];
    const weights = [...found.values()];
    indices.forEach((index, n) => {
      if (weights[n] !== 0) this.rows.check(index);
    });
    return { indices, weights };
  }

  refuse(dims) {
    this.op.axes.forEach((axis, i) => {
      const levels = this.levels[i];
      if (dims[i] < levels[0] || dims[i] > levels[levels.length - 1]) {
        refuseRange(this.op.name, axis, dims[i], levels);
      }
    });
    const named = this.op.axes.map((axis, i) => `${axis}=${dims[i]}`).join(", ");
    throw new Refusal(
      `${this.op.name}(${named}) is outside the table: no measured points lie around it`
    );
  }

  distance(dims) {
    return distanceToLevels(this.op, this.levels, dims);
  }
}

// Points by the value of their first axis, and those of each value by the next axis.
class Slice {
  constructor(points, powers) {
    this.power = powers[0];
    const apart = new Map();
    for (const [dims, row] of points) {
      if (!apart.has(dims[0])) apart.set(dims[0], []);
      apart.get(dims[0]).push([dims.slice(1), row]);
    }
    this.levels = [...apart.keys()].sort((a, b) => a - b);
    this.at = new Map(
      this.levels.map((level) => {
        const inner = apart.get(level);
        return [level, inner[0][0].length ? new Slice(inner, powers.slice(1)) : inner[0][1]];
      })
    );
  }

  // A map from row to weight; null outside.
  weights(dims) {
    const value = dims[0];
    if (this.at.has(value)) {
      const exact = this.weightsAt(value, dims);
      if (exact !== null) return exact;
    }
    const below = this.first(this.levels.filter((level) => level < value).reverse(), dims);
    if (below === null) return null;
    const above = this.first(this.levels.filter((level) => level > value), dims);
    if (above === null) return null;
    const [low, middle, high] = [below[0], value, above[0]].map((one) => one ** this.power);
    const share = (middle - low) / (high - low);
    const mixed = new Map();
    for (const [row, weight] of below[1]) mixed.set(row, (1 - share) * weight);
    for (const [row, weight] of above[1]) {
      mixed.set(row, (mixed.get(row) || 0) + share * weight);
    }
    return mixed;
  }

  // The first of these levels at which the other dims lie inside, and its rows.
  first(levels, dims) {
    for (const level of levels) {
      const found = this.weightsAt(level, dims);
      if (found !== null) return [level, found];
    }
    return null;
  }

  weightsAt(level, dims) {
    const inner = this.at.get(level);
    return inner instanceof Slice ? inner.weights(dims.slice(1)) : new Map([[inner, 1]]);
  }
}
