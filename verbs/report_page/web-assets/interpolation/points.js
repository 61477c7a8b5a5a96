// Measured points as columns; times are milliseconds, a failed point's is NaN.

class Points {
  constructor(op, columns) {
    this.op = op;
    this.dims = columns.dims;
    this.ms = columns.ms.map((ms) => (ms === null ? NaN : ms));
    this.half = columns.half.map((half) => (half === null ? NaN : half));
    this.macs = columns.macs;
    this.bytes = columns.bytes;
    this.verdict = columns.verdict;
    this.error = columns.error;
    this.place = new Map(columns.dims.map((dims, row) => [dims.join(), row]));
    this.least = Math.min(...this.ms.filter((ms) => !Number.isNaN(ms)));
  }

  find(dims) {
    return this.place.get(dims.join());
  }

  check(row) {
    if (Number.isNaN(this.ms[row])) {
      refuseFailed(this.op.name, this.op.axes, this.dims[row], this.error[row]);
    }
  }
}
