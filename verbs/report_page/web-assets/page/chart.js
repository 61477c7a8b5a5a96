// A chart of points and lines that can be pointed at. uPlot gives axes, scales and zooming; the
// points are drawn here, for they need no common x.

const NEAR = 28;
const RADIUS = 4;

class Chart {
  // series: [{name, points: [{x, y, low, high, label}], line, dashed, mute}]; x, y: {label, log}.
  constructor(x, y, name) {
    this.x = x;
    this.y = y;
    this.host = el("div", { class: "plot", role: "img", "aria-label": name });
    this.tip = el("div", { class: "tip", hidden: true });
    this.legend = el("div", { class: "legend" });
    this.element = el("figure", {}, this.legend, this.host, el("figcaption", { text: name }));
    this.host.append(this.tip);
    this.series = [];
    this.plot = null;
    this.pointed = null;
    redrawn.add(() => this.draw());
    new ResizeObserver(() => this.fit()).observe(this.host);
  }

  show(series) {
    this.series = series
      .map((one, n) => ({ ...one, number: one.number ?? n }))
      .map((one) => ({ ...one, points: one.points.filter((point) => this.canShow(point)) }))
      .filter((one) => one.points.length);
    this.pointed = null;
    this.tip.hidden = true;
    this.draw();
  }

  canShow({ x, y }) {
    const fits = (value, log) => Number.isFinite(value) && (!log || value > 0);
    return fits(x, this.x.log) && fits(y, this.y.log);
  }

  fit() {
    const width = this.host.clientWidth;
    if (!width) return;
    if (this.plot === null) this.draw();
    else if (this.plot.width !== width) this.plot.setSize({ width, height: this.height(width) });
  }

  height(width) {
    return Math.round(Math.min(Math.max(width * 0.55, 240), 420));
  }

  draw() {
    const width = this.host.clientWidth;
    if (this.plot !== null) this.plot.destroy();
    this.plot = null;
    this.drawLegend();
    if (!width || !this.series.length) return;
    const ranges = { x: this.range("x"), y: this.range("y") };
    const scale = (axis) => ({
      time: false,
      distr: this[axis].log ? 3 : 1,
      range: () => ranges[axis],
    });
    const ink = colour("ink");
    const axis = (which) => ({
      scale: which,
      label: this[which].label,
      labelSize: 18,
      labelFont: "12px system-ui, sans-serif",
      font: "12px system-ui, sans-serif",
      size: which === "x" ? 32 : 54,
      stroke: ink,
      grid: { stroke: colour("grid"), width: 1 },
      ticks: { stroke: colour("grid"), width: 1 },
      values: (_, splits) => splits.map((value) => (value === null ? "" : inUnitsOfAxis(value))),
      // uPlot's own ticks of a logarithmic axis take a least value that is a round number.
      ...(this[which].log
        ? { splits: (_, __, low, high) => logarithmicTicks(low, high), filter: (_, splits) => splits }
        : {}),
    });
    this.plot = new uPlot(
      {
        width,
        height: this.height(width),
        scales: { x: scale("x"), y: scale("y") },
        axes: [axis("x"), axis("y")],
        series: [{}, { scale: "y", paths: () => null, points: { show: false } }],
        legend: { show: false },
        cursor: { points: { show: false }, drag: { x: true, y: true, uni: 30 } },
        hooks: { draw: [(plot) => this.paint(plot)] },
      },
      [ranges.x, ranges.y],
      this.host
    );
    const over = this.plot.over;
    over.addEventListener("pointermove", (event) => this.point(event));
    over.addEventListener("pointerdown", (event) => this.point(event));
    over.addEventListener("pointerleave", () => this.leave());
  }

  range(axis) {
    const values = this.series.flatMap((one) =>
      one.points.flatMap((point) =>
        axis === "x" ? [point.x] : [point.y, point.low ?? point.y, point.high ?? point.y]
      )
    );
    const fits = values.filter((value) => Number.isFinite(value) && (!this[axis].log || value > 0));
    let low = Math.min(...fits);
    let high = Math.max(...fits);
    if (this[axis].log) return [low / 1.25, high * 1.25];
    const room = (high - low || Math.abs(high) || 1) * 0.06;
    if (low >= 0 && low < 0.6 * high) low = 0;
    else low -= room;
    high += room;
    return [low, high];
  }

  paint(plot) {
    const { ctx } = plot;
    const ratio = window.devicePixelRatio || 1;
    const { left, top, width, height } = plot.bbox;
    const at = (value, axis) => plot.valToPos(value, axis, true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    for (const one of this.series) {
      ctx.strokeStyle = one.mute ? colour("mute") : seriesColour(one.number);
      ctx.fillStyle = ctx.strokeStyle;
      ctx.lineWidth = (one.line ? 2 : 1) * ratio;
      ctx.setLineDash(one.dashed ? [5 * ratio, 4 * ratio] : []);
      if (one.line) {
        ctx.beginPath();
        one.points.forEach(({ x, y }, n) => {
          if (n) ctx.lineTo(at(x, "x"), at(y, "y"));
          else ctx.moveTo(at(x, "x"), at(y, "y"));
        });
        ctx.stroke();
      }
      ctx.setLineDash([]);
      if (one.line && !one.marked) continue;
      for (const point of one.points) {
        const x = at(point.x, "x");
        if (Number.isFinite(point.low) && Number.isFinite(point.high)) {
          const low = this.y.log && point.low <= 0 ? point.y : point.low;
          ctx.beginPath();
          ctx.moveTo(x, at(low, "y"));
          ctx.lineTo(x, at(point.high, "y"));
          ctx.stroke();
        }
        ctx.beginPath();
        ctx.arc(x, at(point.y, "y"), (point === this.pointed ? 1.7 : 1) * RADIUS * ratio, 0, 7);
        ctx.fill();
      }
    }
    ctx.restore();
  }

  // Show what is nearest to the pointer.
  point(event) {
    const box = this.plot.over.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let nearest = null;
    let least = NEAR;
    for (const one of this.series) {
      for (const point of one.points) {
        if (!point.label) continue;
        const away = Math.hypot(
          this.plot.valToPos(point.x, "x") - x,
          this.plot.valToPos(point.y, "y") - y
        );
        if (away < least) [nearest, least] = [point, away];
      }
    }
    if (nearest === this.pointed) return;
    this.pointed = nearest;
    this.plot.redraw(false);
    this.tip.hidden = nearest === null;
    if (nearest === null) return;
    this.tip.replaceChildren(...nearest.label.split("\n").map((line) => el("div", { text: line })));
    const right = this.plot.over.offsetLeft + this.plot.valToPos(nearest.x, "x");
    const below = this.plot.over.offsetTop + this.plot.valToPos(nearest.y, "y");
    const most = this.host.clientWidth - this.tip.offsetWidth - 4;
    this.tip.style.left = `${Math.max(4, Math.min(right + 12, most))}px`;
    this.tip.style.top = `${Math.max(0, below - this.tip.offsetHeight - 10)}px`;
  }

  leave() {
    this.pointed = null;
    this.tip.hidden = true;
    if (this.plot) this.plot.redraw(false);
  }

  drawLegend() {
    const named = this.series.filter((one) => one.name);
    this.legend.replaceChildren(
      ...named.map((one) => {
        const mark = el("span", { class: "mark" });
        mark.style.background = one.mute ? colour("mute") : seriesColour(one.number);
        return el("span", { class: "entry" }, mark, el("span", { text: one.name }));
      })
    );
  }
}

// 1, 2 and 5 times the powers of ten from low to high; the powers alone where these are many.
function logarithmicTicks(low, high) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const leading = last - first > 4 ? [1] : [1, 2, 5];
  const found = [];
  for (let power = first; power <= last; power += 1) {
    for (const one of leading) {
      const value = Number(`${one}e${power}`);
      if (value >= low && value <= high) found.push(value);
    }
  }
  return found;
}

function inUnitsOfAxis(value) {
  if (value === 0) return "0";
  if (Math.abs(value) >= 10000) return inUnits(value);
  return String(Number(value.toPrecision(6)));
}
