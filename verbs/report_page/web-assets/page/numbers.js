// Numbers as texts.

function inMs(value) {
  if (value === null || !Number.isFinite(value)) return "-";
  return value < 1000 ? String(Number(value.toPrecision(4))) : value.toFixed(0);
}

function interval(low, high) {
  const known = low !== null && high !== null && Number.isFinite(low) && Number.isFinite(high);
  return known ? `${inMs(low)} to ${inMs(high)}` : "unknown";
}

function inPercent(share) {
  return share === null || !Number.isFinite(share) ? "-" : `${(100 * share).toFixed(1)} %`;
}

// A count with a unit prefix: 4.6 G.
function inUnits(count) {
  if (count === null || !Number.isFinite(count)) return "unknown";
  for (const [size, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(count) >= size) return `${Number((count / size).toPrecision(4))} ${name}`;
  }
  return String(count);
}

// "4.6 GMACs an image" and "5.72 M parameters", or that nobody knows.
function counted(count, of) {
  if (count === null) return `${of}: unknown`;
  const text = inUnits(count);
  const joined = of.startsWith("MACs") && /[A-Za-z]$/.test(text);
  return `${text}${joined ? "" : " "}${of}`;
}

function shortNumber(value) {
  return value === null || !Number.isFinite(value) ? "-" : String(Number(value.toPrecision(4)));
}
