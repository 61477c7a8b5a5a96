// What was measured where, and how far to trust it.

const SPEED_IN_WORDS = {
  undisturbed: "of the undisturbed machine",
  typical: "of the machine as it typically was",
  p90: "of the machine's slowest tenth",
};

function settingInWords({ device, backend, dtype, batch, threads }) {
  return `${device}: ${backend}, ${dtype}, batch ${batch}, ${threads} thread${threads > 1 ? "s" : ""}`;
}

function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el(
    "dl",
    {},
    ...known.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: value })])
  );
}

function trustSection(table, validations) {
  const { record } = table;
  const { trust, machine, setting } = record;
  const verdicts = {
    usable: `Usable: predictions are expected to err by ${inPercent(trust.expected_error)}.`,
    doubtful: trust.failed
      ? `Doubtful: ${trust.failed} points failed.`
      : `Doubtful: predictions are expected to err by ${inPercent(trust.expected_error)}, more than ${inPercent(trust.accept)}.`,
    unknown: "Nobody knows how far predictions err: another tool's rows have no intervals.",
  };
  const noise =
    trust.session_sd !== null
      ? `${inPercent(trust.session_sd)}: two sessions of one point differ so (standard deviation)`
      : `${inPercent(trust.assumed_session_sd)}, assumed: too few points had several sessions to show it`;
  const shown = [
    paragraph(verdicts[trust.verdict], `verdict ${trust.verdict}`),
    facts([
      ["table", record.name],
      ["setting", settingInWords(setting)],
      ["processor", machine["machine.cpu"] || machine.cpu || machine["gpu.name"]],
      ["latencies", SPEED_IN_WORDS[record.stated_at]],
      ["measured", record.measured_at],
      ["points", `${trust.points}, of which ${trust.unstable} unstable and ${trust.failed} failed`],
      ["transferred", trust.transferred ? `${trust.transferred} points, from other tables` : ""],
      ["imported from", record.imported.join(", ")],
      ["noise", noise],
      ["error of whole models", inPercent(trust.expected_error)],
      [
        "interval coverage",
        trust.coverage === null
          ? "unknown: too few whole models were measured"
          : `${inPercent(trust.coverage)} of ${trust.held_out.length} held-out models lie in their 95 % interval`,
      ],
      ["state", record.unfinished ? "unfinished: its measuring was interrupted" : ""],
    ]),
    asTable("the whole machine and protocol", ["what", "value"], [
      ...Object.entries(machine),
      ...Object.entries(record.protocol).map(([name, value]) => [`protocol: ${name}`, value]),
    ]),
  ];
  if (trust.held_out.length) shown.push(...heldOutChart(trust.held_out));
  for (const validation of validations) shown.push(...validationChart(validation));
  return section("Device and trust", "trust", ...shown);
}

function heldOutChart(models) {
  const points = models.map((one) => ({
    x: one.measured,
    y: one.ms,
    low: one.low,
    high: one.high,
    label: `${one.name}\nmeasured ${inMs(one.measured)} ms\npredicted ${inMs(one.ms)} ms [${interval(one.low, one.high)}]\n${inPercent(one.ms / one.measured - 1)} off`,
  }));
  return [
    predictedAgainstMeasured(
      points,
      "Whole models of the table, each predicted by a line fitted on the others, with 95 % intervals"
    ),
    asTable(
      "these models as a table",
      ["model", "measured ms", "predicted ms", "95 % interval", "error"],
      models.map((one) => [
        one.name,
        inMs(one.measured),
        inMs(one.ms),
        interval(one.low, one.high),
        inPercent(one.ms / one.measured - 1),
      ])
    ),
  ];
}

function validationChart({ name, models }) {
  const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;
  const error = mean(models.map((one) => Math.abs(one.predicted / one.measured - 1)));
  const again = mean(models.map((one) => Math.abs(one.again / one.first - 1)));
  const inside = mean(models.map((one) => Number(one.measured >= one.low && one.measured <= one.high)));
  const points = models.map((one) => ({
    x: one.measured,
    y: one.predicted,
    low: one.low,
    high: one.high,
    label: `${one.name}\nmeasured ${inMs(one.measured)} ms\npredicted ${inMs(one.predicted)} ms`,
  }));
  return [
    paragraph(
      `${name}: ${models.length} models that the table never saw. It errs by ${inPercent(error)} in the mean; two measurements of a model differ by ${inPercent(again)}; ${inPercent(inside)} lie in their 95 % interval.`
    ),
    predictedAgainstMeasured(points, "Models that the table never saw, with 95 % intervals"),
  ];
}

function predictedAgainstMeasured(points, name) {
  const chart = new Chart({ label: "measured, ms" }, { label: "predicted, ms" }, name);
  const ends = points.flatMap((point) => [point.x, point.y]);
  const line = [Math.min(...ends), Math.max(...ends)].map((value) => ({ x: value, y: value }));
  chart.show([
    { name: "models", points },
    { name: "predicted = measured", points: line, line: true, dashed: true, mute: true },
  ]);
  return chart.element;
}
