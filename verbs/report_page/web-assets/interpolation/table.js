// A latency table's answers, the same numbers as `vitprof predict`: tables/table.py.

class Table {
  constructor(record) {
    this.record = record;
    this.ops = new Map(record.ops.map((op) => [op.name, new OpGrids(op)]));
    this.counted = new Map(record.counted.map((op) => [op.name, op]));
    this.lines = new Map(
      Object.entries(record.lines).map(([family, line]) => [family, new Calibration(line)])
    );
    this.holdsLayers =
      this.ops.has("layer") && !this.ops.has("attention") && !this.ops.has("mlp");
  }

  // What blocks of a model of this family cost; a Refusal where the table does not answer.
  // {ms, low, high, offset, parts: [{block, ms, low, high, unstable}]}, NaN where unknown.
  predict(family, modelBlocks) {
    const blocks = this.holdsLayers ? asWholeLayers(modelBlocks) : modelBlocks;
    const missing = new Set(blocks.filter((one) => !this.ops.has(one.op)).map((one) => one.op));
    if (missing.size) {
      const names = [...missing].map((op) => `'${op}'`).join(", ");
      throw new Refusal(`the table has no ${names} block, only ${[...this.ops.keys()].join(", ")}`);
    }
    const sum = new Sum();
    const parts = blocks.map((block) => sum.add(block, this.ops.get(block.op)));
    const line = this.lines.get(family);
    let ms = parts.reduce((total, part) => total + part.ms, 0);
    let half = Math.sqrt(sum.variance());
    const transferred = parts.reduce((total, part) => total + part.ms * part.transferred, 0) / ms;
    let offset = 0;
    if (line) {
      const lone = this.lone(parts);
      half = line.halfWidth(lone, (Number.isNaN(half) ? 0 : half) / NORMAL_95);
      ms = line.latency(lone);
      offset = line.line.offset_ms;
      for (const part of parts) {
        for (const end of ["ms", "low", "high"]) {
          part[end] = line.inPlace(part.block.op, part[end], part.read);
        }
      }
    }
    if (transferred > 0 && this.record.whole_sd !== null) {
      const common = NORMAL_95 * transferred * this.record.whole_sd * ms;
      half = Math.max(Number.isNaN(half) ? 0 : half, common);
    }
    return { ms, low: Math.max(ms - half, 0), high: ms + half, offset, parts };
  }

  // What one block costs by itself, without a line: {ms, half}.
  predictBlock(block) {
    const part = new Sum().add(block, this.ops.get(block.op));
    return { ms: part.ms, half: (part.high - part.low) / 2 };
  }

  // A model's MACs of an image and weights; null where an op's are not known.
  count(blocks, what) {
    let total = 0;
    for (const block of blocks) {
      const op = this.ops.get(block.op)?.op || this.counted.get(block.op);
      const count = op ? countOf(op, block.dims, what) : null;
      if (count === null) return null;
      total += count;
    }
    return total;
  }

  lone(parts) {
    const sums = new Map();
    const counts = new Map();
    let read = 0;
    for (const part of parts) {
      const { op } = part.block;
      sums.set(op, (sums.get(op) || 0) + part.ms);
      counts.set(op, (counts.get(op) || 0) + 1);
      read += part.read;
    }
    return { sums, counts, read };
  }
}

// The sum of blocks, and its variance: a point that several blocks lean on errs for all of them.
class Sum {
  constructor() {
    this.leaning = new Map();
    this.onExtra = new Map();
  }

  add(block, grids) {
    const { op } = grids;
    const dims = op.axes.map((axis) => block.dims[axis]);
    const grid = grids.partOf(dims);
    const row = grid.exact(dims);
    const read = countOf(op, block.dims, "read") || 0;
    if (row !== undefined) {
      const { ms, half, verdict } = grid.extra;
      const of = this.weightsOn(this.onExtra, grid);
      of[row] = (of[row] || 0) + 1;
      return part(block, ms[row], half[row], read, {
        unstable: Number(verdict[row] === "unstable"),
        transferred: Number(verdict[row] === "transferred"),
      });
    }
    const { indices, weights } = grid.corners(dims);
    const { rows } = grid;
    const of = this.weightsOn(this.leaning, grid);
    const shares = { unstable: 0, transferred: 0 };
    let ms = 0;
    let squares = 0;
    let taken = 0;
    indices.forEach((index, n) => {
      const weight = weights[n];
      of[index] = (of[index] || 0) + weight;
      if (weight === 0) return;
      ms += weight * rows.ms[index];
      squares += (weight * rows.half[index]) ** 2;
      const share = Math.abs(weight * rows.ms[index]);
      taken += share;
      const verdict = rows.verdict[index];
      if (verdict in shares) shares[verdict] += share;
    });
    for (const verdict of Object.keys(shares)) shares[verdict] /= Math.max(taken, 1e-300);
    return part(block, ms > 0 ? ms : rows.least, Math.sqrt(squares), read, shares);
  }

  weightsOn(map, grid) {
    if (!map.has(grid)) map.set(grid, {});
    return map.get(grid);
  }

  variance() {
    let variance = 0;
    for (const [points, key] of [[this.leaning, "rows"], [this.onExtra, "extra"]]) {
      for (const [grid, weights] of points) {
        for (const [row, weight] of Object.entries(weights)) {
          if (weight !== 0) variance += (weight * grid[key].half[row]) ** 2;
        }
      }
    }
    return variance;
  }
}

function part(block, ms, half, read, shares) {
  return { block, ms, low: ms - half, high: ms + half, read, ...shares };
}
