// Where a model's time goes: block by block by the table, node by node where it was broken down.

class Where {
  constructor(breakdowns) {
    this.strip = el("div", { class: "strip" });
    this.list = el("div", { class: "bars" });
    this.title = paragraph("");
    this.element = section("Where the time goes", "where", this.title, this.strip, this.list);
    for (const one of breakdowns) this.element.append(breakdownPart(one));
  }

  show(spec, answer) {
    if (answer.ms === null) {
      this.title.textContent = "The calculator's model is outside the table.";
      this.strip.replaceChildren();
      this.list.replaceChildren();
      return;
    }
    const of = `${spec.family} of the calculator`;
    this.title.textContent = `The ${of}, block by block, ${inMs(answer.ms)} ms in all.`;
    const ops = [...new Set(answer.parts.map((part) => part.block.op))];
    const number = new Map(ops.map((op, n) => [op, n]));
    const sums = ops.map((op) => {
      const parts = answer.parts.filter((part) => part.block.op === op);
      return [op, parts.reduce((sum, part) => sum + part.ms, 0), parts.length];
    });
    const whole = Math.max(sums.reduce((sum, [, ms]) => sum + Math.max(ms, 0), 0), 1e-9);
    this.strip.replaceChildren(
      ...sums.map(([op, ms, count]) => {
        const share = el("div", { class: "share", title: `${op}: ${inMs(ms)} ms` });
        share.style.width = `${(100 * Math.max(ms, 0)) / whole}%`;
        share.classList.add(`series-${(number.get(op) % 6) + 1}`);
        share.append(el("span", { text: `${op} x ${count}: ${inMs(ms)} ms` }));
        return share;
      })
    );
    const most = Math.max(...answer.parts.map((part) => part.ms), 1e-9);
    const rows = answer.parts.map((part, n) => {
      const dims = Object.entries(part.block.dims).map(([axis, value]) => `${axis}=${value}`);
      return barRow(
        `${n + 1}. ${part.block.op}`,
        dims.join(", "),
        part.ms,
        most,
        number.get(part.block.op)
      );
    });
    if (answer.offset) {
      rows.push(barRow("whole model", "what no single block accounts for", answer.offset, most, 5));
    }
    this.list.replaceChildren(...rows);
  }
}

function barRow(name, details, ms, most, number) {
  const bar = el("div", { class: `bar series-${(number % 6) + 1}` });
  bar.style.width = `${(100 * Math.max(ms, 0)) / most}%`;
  return el(
    "div",
    { class: "row", title: details },
    el("span", { class: "what", text: name }),
    el("span", { class: "track" }, bar),
    el("span", { class: "number", text: `${inMs(ms)} ms` }),
    el("span", { class: "details", text: details })
  );
}

// A measured breakdown: blocks that open to their nodes.
function breakdownPart({ model, ms, blocks, nodes }) {
  const most = Math.max(...blocks.map((one) => one.ms), ...nodes.map((one) => one.ms), 1e-9);
  const ops = [...new Set(nodes.map((one) => one.kind))];
  const nodeRows = (some) =>
    some.map((node) =>
      barRow(node.op, node.module || node.name, node.ms, most, ops.indexOf(node.kind))
    );
  const rows = blocks.length
    ? blocks.map((one) =>
        el(
          "details",
          {},
          el("summary", {}, barRow(one.name, one.op, one.ms, most, 0)),
          ...nodeRows(nodes.filter((node) => node.block === one.name))
        )
      )
    : nodeRows(nodes);
  return el(
    "div",
    { class: "breakdown" },
    el("h3", { text: `${model}, measured node by node: ${inMs(ms)} ms` }),
    ...rows
  );
}
