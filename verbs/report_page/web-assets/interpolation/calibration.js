// From blocks to a whole model: tables/calibration/calibration.py.

const NORMAL_95 = 1.959964;

class Calibration {
  // line: as in the table's header, with `student` (the quantile of its 95 % interval).
  constructor(line) {
    this.line = line;
    this.ops = Object.keys(line.factors);
    const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;
    this.meanFactor = mean(Object.values(line.factors));
    this.meanBlock = mean(Object.values(line.per_block_ms));
  }

  factor(op) {
    return this.line.factors[op] ?? this.meanFactor;
  }

  blockMs(op) {
    return this.line.per_block_ms[op] ?? this.meanBlock;
  }

  // What a block adds to a whole model that takes `ms` alone.
  inPlace(op, ms, read) {
    return this.factor(op) * ms + this.blockMs(op) + (this.line.per_mparam_ms * read) / 1e6;
  }

  // lone: {sums, counts} by op, and the weights `read`.
  latency(lone) {
    let ms = (this.line.per_mparam_ms * lone.read) / 1e6 + this.line.offset_ms;
    for (const [op, sum] of lone.sums) ms += this.factor(op) * sum;
    for (const [op, count] of lone.counts) ms += this.blockMs(op) * count;
    return ms;
  }

  halfWidth(lone, blocksSd) {
    const ms = this.latency(lone);
    const direction = [
      ...this.ops.map((op) => lone.sums.get(op) || 0),
      ...this.ops.map((op) => lone.counts.get(op) || 0),
      lone.read / 1e6,
      1,
    ].map((feature) => feature / ms);
    let fit = 0;
    this.line.covariance.forEach((row, i) => {
      row.forEach((value, j) => {
        fit += direction[i] * value * direction[j];
      });
    });
    const variance = this.line.residual_sd ** 2 + fit;
    return ms * this.line.student * Math.sqrt(Math.max(variance, (blocksSd / ms) ** 2));
  }
}
