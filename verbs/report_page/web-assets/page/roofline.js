// Every measured block under what the device attains at most (Williams et al. 2009).

function rooflineSection(table, ceilings) {
  const series = [];
  const rows = [];
  for (const grids of table.ops.values()) {
    const points = [];
    for (const part of grids.parts) {
      for (const some of [part.rows, part.extra].filter(Boolean)) {
        some.ms.forEach((ms, row) => {
          const [macs, bytes] = [some.macs[row], some.bytes[row]];
          if (!macs || !bytes || Number.isNaN(ms)) return;
          const dims = grids.op.axes.map((axis, i) => `${axis}=${some.dims[row][i]}`).join(", ");
          const rate = macs / ms / 1e6;
          points.push({
            x: macs / bytes,
            y: rate,
            label: `${grids.op.name}(${dims})\n${inMs(ms)} ms, ${shortNumber(rate)} GMAC/s\n${shortNumber(macs / bytes)} MACs a byte`,
          });
        });
      }
    }
    if (!points.length) continue;
    series.push({ name: grids.op.name, points });
    const rates = points.map((point) => point.y);
    const best = Math.max(...rates);
    rows.push([
      grids.op.name,
      String(points.length),
      shortNumber(Math.min(...rates)),
      shortNumber(best),
      ceilings ? inPercent(best / ceilings.gmacs_per_s) : "-",
    ]);
  }
  const chart = new Chart(
    { label: "MACs a byte of weights, input and output", log: true },
    { label: "GMAC/s", log: true },
    "Blocks under the measured ceilings of the device"
  );
  const inside = series.flatMap((one) => one.points.map((point) => point.x));
  if (ceilings && inside.length) series.push(...roof(ceilings, Math.min(...inside), Math.max(...inside)));
  chart.show(series);
  const why = ceilings
    ? `Measured by ${ceilings.runtime}: matrix products attain ${shortNumber(ceilings.gmacs_per_s)} GMAC/s, memory ${shortNumber(ceilings.gbytes_per_s)} GB/s; the third best sessions were lower by ${inPercent(ceilings.gmacs_difference)} and ${inPercent(ceilings.gbytes_difference)}. A block above the sloped line found its data in a cache.${disturbed(ceilings)}`
    : "The ceilings of this device were not measured. To draw them: vitprof report --ceilings measure, on the device, or vitprof ceilings --out FILE there and vitprof report --ceilings FILE.";
  return section(
    "Roofline",
    "roofline",
    paragraph(why),
    chart.element,
    textTable(["block", "points", "least GMAC/s", "most GMAC/s", "of the ceiling"], rows)
  );
}

function disturbed({ gmacs_difference: products, gbytes_difference: memory, slowdown }) {
  const remedy = "so the ceilings may be too low: measure them again.";
  if (slowdown > 1.05)
    return ` The machine was never undisturbed meanwhile (its reference took ${slowdown.toFixed(2)} times its undisturbed time), ${remedy}`;
  return Math.max(products, memory) > 0.1 ? ` The sessions are far apart, ${remedy}` : "";
}

// The two lines, from the least to the most MACs a byte.
function roof({ gmacs_per_s: peak, gbytes_per_s: bandwidth }, least, most) {
  const ridge = peak / bandwidth;
  const low = Math.min(least, ridge / 2);
  const high = Math.max(most, ridge * 2);
  const at = (x) => ({ x, y: Math.min(peak, bandwidth * x) });
  return [
    { name: "ceilings, measured", points: [at(low), at(ridge), at(high)], line: true, mute: true },
  ];
}
