// The page: reads its data, and puts the sections together.

const data = JSON.parse(document.getElementById("data").textContent);
const tables = data.tables.map((record) => new Table(record));

function modelsOf(table) {
  const ofRuns = data.runs.flatMap((run) => run.models.map((one) => ({ ...one, measured: null })));
  return [...table.record.models, ...ofRuns].filter((one) => FAMILIES.has(one.spec.family));
}

function build() {
  const page = document.getElementById("page");
  const where = new Where(data.breakdowns);
  const macs = new MacsChart(tables, data.runs);
  const blocks = new BlocksChart();
  const calculator = new Calculator((spec, answer) => {
    where.show(spec, answer);
    macs.show(spec, answer);
  });
  const ofTable = el("div");
  const roofline = el("div");
  const use = (number) => {
    const table = tables[number];
    ofTable.replaceChildren(trustSection(table, data.validations));
    roofline.replaceChildren(rooflineSection(table, data.ceilings[number]));
    blocks.use(table);
    calculator.use(table, modelsOf(table));
  };
  const picker = tables.length > 1
    ? [choice("table", tables.map((one, n) => [n, `${one.record.name} (${settingInWords(one.record.setting)})`]), 0, use)]
    : [];
  page.replaceChildren(
    el(
      "header",
      {},
      el("h1", { text: "vitprof report" }),
      paragraph(tables.map((one) => settingInWords(one.record.setting)).join(" | ")),
      ...picker
    ),
    ofTable,
    calculator.element,
    where.element,
    macs.element,
    blocks.element,
    roofline,
    ...(data.runs.length ? [runsSection(data.runs)] : []),
    el("footer", {}, paragraph(`Written by vitprof ${data.vitprof} on ${data.written}. ${data.command}`))
  );
  macs.load(modelsOf);
  use(0);
  return calculator;
}

const calculator = build();

// For other scripts, and for tests: the same answers without the sliders.
window.vitprof = {
  answer: (spec, number = 0) => answerOf(tables[number], spec),
  spec: () => copyOf(calculator.spec),
};
document.documentElement.dataset.ready = String(performance.now());
