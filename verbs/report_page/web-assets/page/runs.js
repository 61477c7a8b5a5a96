// What train, prune, search and choose made.

const KINDS = { train: "Trained", prune: "Pruned", search: "Searched", choose: "Chosen" };

function runsSection(runs) {
  return section("Runs", "runs", ...runs.flatMap((run) => runPart(run)));
}

function runPart(run) {
  const judged = run.judged_by;
  const shown = [el("h3", { text: `${KINDS[run.kind]}: ${run.name}` })];
  if (judged && run.kind !== "train") {
    const chart = new Chart({ label: "ms" }, { label: judged }, `${run.name}: ${judged} over latency`);
    const points = run.points
      .filter((one) => one.judged !== null && (one.measured ?? one.predicted) !== null)
      .map((one) => ({
        x: one.measured ?? one.predicted,
        y: one.judged,
        label: `${one.name}\n${inMs(one.measured ?? one.predicted)} ms, ${one.measured === null ? "predicted" : "measured"}\n${judged} ${shortNumber(one.judged)}`,
      }));
    const front = frontOf(points);
    chart.show([
      { name: "models", points },
      { name: "front", points: front, line: true, dashed: true, mute: true },
    ]);
    shown.push(chart.element);
  }
  shown.push(
    textTable(
      ["model", "predicted ms", "measured ms", "MACs", "parameters", judged || "judged by"],
      run.points.map((one) => [
        one.name,
        inMs(one.predicted),
        inMs(one.measured),
        inUnits(one.macs),
        inUnits(one.params),
        shortNumber(one.judged),
      ])
    )
  );
  for (const { name, structures } of run.redistribution) {
    shown.push(redistribution(name || run.name, structures));
  }
  if (run.history.length) shown.push(...historyOf(run));
  return shown;
}

// Loss, and below it accuracy, over the epochs of each stage.
function historyOf(run) {
  const stages = run.history.map(({ stage, rows }) => ({
    stage,
    rows: rows.map(([epoch, loss, top1]) => ({ epoch, loss, top1 })),
  }));
  const shown = [];
  const draw = (key, label, title, marked) => {
    const series = stages.map(({ stage, rows }) => ({
      name: stage,
      line: true,
      marked,
      points: rows
        .filter((row) => row.epoch !== null && row[key] !== null)
        .map((row) => ({
          x: row.epoch,
          y: row[key],
          label: `${stage}\nepoch ${shortNumber(row.epoch)}\n${label} ${shortNumber(row[key])}`,
        })),
    }));
    if (!series.some((one) => one.points.length > (marked ? 1 : 0))) return;
    const chart = new Chart({ label: "epoch" }, { label }, `${run.name}: ${title}`);
    chart.show(series);
    shown.push(chart.element);
  };
  draw("loss", "loss", "the loss during training", false);
  draw("top1", "top-1", "accuracy during training", true);
  return shown;
}

// The points that no other is both faster and better than, from fast to slow.
function frontOf(points) {
  const found = [];
  let best = -Infinity;
  for (const point of [...points].sort((a, b) => a.x - b.x || b.y - a.y)) {
    if (point.y > best) {
      found.push({ x: point.x, y: point.y });
      best = point.y;
    }
  }
  return found;
}

// What was taken from where: the share of each structure that is left, by its kind.
function redistribution(name, structures) {
  const kinds = [...new Set(structures.map((one) => one.kind))];
  const chart = new Chart({ label: "structure, in the order of the model" }, { label: "left, %" }, `${name}: what pruning left of each structure`);
  chart.show(
    kinds.map((kind) => {
      const of = structures.filter((one) => one.kind === kind && one.before > 0);
      return {
        name: kind,
        line: true,
        marked: true,
        points: of.map((one, n) => ({
          x: n + 1,
          y: (100 * one.after) / one.before,
          label: `${one.structure}\n${one.before} before, ${one.after} after`,
        })),
      };
    })
  );
  return el(
    "div",
    {},
    chart.element,
    asTable(
      "these widths as a table",
      ["structure", "kind", "before", "after"],
      structures.map((one) => [one.structure, one.kind, String(one.before), String(one.after)])
    )
  );
}
