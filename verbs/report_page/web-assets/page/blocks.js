// A block's latency, or the rate that it attains, over one of its dims.

const CURVE_POINTS = 160;

class BlocksChart {
  constructor() {
    this.choices = el("div", { class: "choices" });
    this.host = el("div");
    this.element = section("Blocks", "blocks", this.choices, this.host);
    this.rate = false;
  }

  use(table) {
    this.table = table;
    this.batch = table.record.setting.batch;
    const ops = [...table.ops.values()].filter((one) => one.parts.length);
    if (!ops.length) {
      this.host.replaceChildren(paragraph("The table has no block whose dims can be varied."));
      this.choices.replaceChildren();
      return;
    }
    const points = (one) => one.parts.reduce((sum, part) => sum + part.rows.ms.length, 0);
    this.chooseOp(ops.reduce((best, one) => (points(one) > points(best) ? one : best)));
  }

  chooseOp(grids) {
    this.grids = grids;
    const largest = grids.parts.reduce((best, one) => (one.rows.ms.length > best.rows.ms.length ? one : best));
    this.choosePart(largest);
  }

  choosePart(part) {
    this.part = part;
    const { axes } = this.grids.op;
    this.varying = axes.filter((_, i) => part.levels[i].length > 1);
    this.axis = this.varying[0] || axes[0];
    this.dims = Object.fromEntries(
      axes.map((axis, i) => [axis, part.levels[i][Math.floor(part.levels[i].length / 2)]])
    );
    this.draw();
  }

  partName(part) {
    const { axes, fixed } = this.grids.op;
    const some = fixed.length ? fixed : axes;
    return some.map((axis) => `${axis} ${part.levels[axes.indexOf(axis)].join("/")}`).join(", ");
  }

  draw() {
    const { op, parts } = this.grids;
    const ops = [...this.table.ops.values()].filter((one) => one.parts.length);
    const others = this.varying.filter((axis) => axis !== this.axis);
    this.choices.replaceChildren(
      choice("block", ops.map((one) => [one, one.op.name]), this.grids, (one) => this.chooseOp(one)),
      ...(parts.length > 1
        ? [choice("kind", parts.map((one) => [one, this.partName(one)]), this.part, (one) => this.choosePart(one))]
        : []),
      ...(this.varying.length > 1
        ? [choice("over", this.varying.map((axis) => [axis, axis]), this.axis, (axis) => {
            this.axis = axis;
            this.draw();
          })]
        : []),
      ...others.map((axis) => {
        const levels = this.part.levels[op.axes.indexOf(axis)];
        return choice(axis, levels.map((level) => [level, String(level)]), this.dims[axis], (value) => {
          this.dims[axis] = value;
          this.draw();
        });
      }),
      choice("show", [[false, "milliseconds"], [true, "GMAC/s"]], this.rate, (rate) => {
        this.rate = rate;
        this.draw();
      })
    );
    this.drawChart();
  }

  drawChart() {
    const { op } = this.grids;
    const unit = this.rate ? "GMAC/s" : "ms";
    const chart = new Chart({ label: this.axis }, { label: unit }, `${op.name}: measured points with 95 % intervals, and the table between them`);
    const levels = this.part.levels[op.axes.indexOf(this.axis)];
    const curve = this.curve(levels);
    chart.show([
      { name: "measured", points: this.measured(), number: 0 },
      { name: "interpolated", points: curve, line: true, number: 1 },
    ]);
    this.host.replaceChildren(chart.element);
  }

  valueOf(ms, macs) {
    return this.rate ? (macs === null ? NaN : macs / ms / 1e6) : ms;
  }

  curve(levels) {
    const [low, high] = [levels[0], levels[levels.length - 1]];
    const widths = new Set(levels);
    for (let n = 0; n <= CURVE_POINTS; n += 1) widths.add(Math.round(low + ((high - low) * n) / CURVE_POINTS));
    const found = [];
    for (const width of [...widths].sort((a, b) => a - b)) {
      const dims = { ...this.dims, [this.axis]: width };
      try {
        const { ms } = this.table.predictBlock(block(this.grids.op.name, dims));
        const macs = countOf(this.grids.op, dims, "macs");
        found.push({ x: width, y: this.valueOf(ms, macs === null ? null : macs * this.batch) });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
    }
    return found;
  }

  measured() {
    const { axes } = this.grids.op;
    const place = axes.indexOf(this.axis);
    const found = [];
    for (const points of [this.part.rows, this.part.extra].filter(Boolean)) {
      points.dims.forEach((dims, row) => {
        const fits = axes.every((axis, i) => i === place || dims[i] === this.dims[axis]);
        const ms = points.ms[row];
        if (!fits || Number.isNaN(ms)) return;
        const half = points.half[row];
        const ends = [this.valueOf(ms - half, points.macs[row]), this.valueOf(ms + half, points.macs[row])];
        const y = this.valueOf(ms, points.macs[row]);
        found.push({
          x: dims[place],
          y,
          low: Math.min(...ends),
          high: Math.max(...ends),
          label: `${this.axis} ${dims[place]}\n${inMs(ms)} ms [${interval(ms - half, ms + half)}], ${points.verdict[row]}`,
        });
      });
    }
    return found;
  }
}
