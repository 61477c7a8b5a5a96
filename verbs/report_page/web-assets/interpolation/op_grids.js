// All grids of one op, one for each kind of the block: tables/grids/op_grids.py.

class OpGrids {
  constructor(record) {
    this.op = record;
    this.parts = record.parts
      .filter((part) => part.kind !== "scattered")
      .map((part) =>
        part.kind === "ragged"
          ? new RaggedGrid(record, part)
          : new FullGrid(record, part, record.steps)
      );
  }

  // The grid that answers for a block: the first that holds it, else the nearest of its kind.
  partOf(dims) {
    if (this.parts.length === 1 && !this.op.fixed.length) return this.parts[0];
    const holds = this.parts.find((part) =>
      part.levels.every(
        (levels, i) => dims[i] >= levels[0] && dims[i] <= levels[levels.length - 1]
      )
    );
    if (holds) return holds;
    let best = null;
    let least = null;
    for (const part of this.parts) {
      const [kinds, off] = part.distance(dims);
      if (best === null || kinds < least[0] || (kinds === least[0] && off < least[1])) {
        [best, least] = [part, [kinds, off]];
      }
    }
    if (least[0]) this.refuseKind(dims);
    return best;
  }

  refuseKind(dims) {
    const { name, axes, fixed } = this.op;
    for (const axis of fixed) {
      const i = axes.indexOf(axis);
      const levels = new Set(this.parts.map((part) => part.levels[i][0]));
      const measured = [...levels].sort((a, b) => a - b);
      if (!measured.includes(dims[i])) {
        throw new Refusal(
          `${axis}=${dims[i]} of op '${name}' is not in the table, which has ${axis} ` +
            measured.join(", ")
        );
      }
    }
    const kind = fixed.map((axis) => `${axis}=${dims[axes.indexOf(axis)]}`).join(", ");
    throw new Refusal(`the table has no '${name}' with ${kind}`);
  }

  // All levels of an axis in grids whose other dims include `where`, as far as the op has them.
  levelsOf(axis, where = {}) {
    const i = this.op.axes.indexOf(axis);
    const found = new Set();
    for (const part of this.parts) {
      const fits = Object.entries(where).every(([other, value]) => {
        const place = this.op.axes.indexOf(other);
        if (place < 0) return true;
        const levels = part.levels[place];
        return value >= levels[0] && value <= levels[levels.length - 1];
      });
      if (fits) part.levels[i].forEach((level) => found.add(level));
    }
    return [...found].sort((a, b) => a - b);
  }
}
