// MACs against latency, each model one point.

class MacsChart {
  constructor(tables, runs) {
    this.tables = tables;
    this.runs = runs;
    this.chart = new Chart(
      { label: "GMACs an image" },
      { label: "ms of a run" },
      "Every model: what it computes against what it takes"
    );
    this.list = el("div");
    this.element = section("MACs against latency", "macs-latency", this.chart.element, this.list);
    this.lines = [];
  }

  // Everything but the calculator's own point, which follows.
  load(modelsOf) {
    this.series = [];
    const rows = [];
    this.tables.forEach((table) => {
      const suffix = this.tables.length > 1 ? ` (${table.record.name})` : "";
      const kinds = [
        [`measured${suffix}`, modelsOf(table).filter((one) => one.measured)],
        [`predicted${suffix}`, modelsOf(table).filter((one) => !one.measured)],
      ];
      for (const [name, models] of kinds) {
        const points = models.map((one) => this.pointOf(table, one)).filter((one) => one !== null);
        rows.push(...points.map((one) => [one.name, name, shortNumber(one.x), inMs(one.y), interval(one.low, one.high)]));
        this.series.push({ name, points });
      }
    });
    for (const run of this.runs) {
      const points = run.points
        .filter((one) => one.macs !== null && (one.measured ?? one.predicted) !== null)
        .map((one) => {
          const ms = one.measured ?? one.predicted;
          const how = one.measured === null ? "predicted" : "measured";
          return { x: one.macs / 1e9, y: ms, name: one.name, label: `${run.name}: ${one.name}\n${shortNumber(one.macs / 1e9)} GMACs\n${inMs(ms)} ms, ${how}` };
        });
      rows.push(...points.map((one) => [one.name, run.name, shortNumber(one.x), inMs(one.y), "-"]));
      this.series.push({ name: run.name, points });
    }
    this.list.replaceChildren(
      asTable("these models as a table", ["model", "from", "GMACs", "ms", "95 % interval"], rows)
    );
  }

  pointOf(table, { name, spec, measured }) {
    const answer = answerOf(table, spec);
    const found = measured || answer;
    if (found.ms === null || answer.macs === null) return null;
    const { ms, low, high } = found;
    return {
      name,
      x: answer.macs / 1e9,
      y: ms,
      low: low ?? NaN,
      high: high ?? NaN,
      label: `${name}\n${shortNumber(answer.macs / 1e9)} GMACs, ${counted(answer.params, "parameters")}\n${inMs(ms)} ms [${interval(low, high)}], ${measured ? "measured" : "predicted"}`,
    };
  }

  show(spec, answer) {
    const own =
      answer.ms === null || answer.macs === null
        ? []
        : [{ x: answer.macs / 1e9, y: answer.ms, low: answer.low, high: answer.high, label: `the calculator's ${spec.family}\n${shortNumber(answer.macs / 1e9)} GMACs\n${inMs(answer.ms)} ms [${interval(answer.low, answer.high)}]` }];
    this.chart.show([...this.series, { name: "calculator", points: own, number: 5 }]);
  }
}
