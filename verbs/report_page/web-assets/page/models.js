// What a table says of a spec: latency, MACs and weights, or why it says nothing.

function familyOf(spec) {
  return FAMILIES.get(spec.family);
}

// {ms, low, high, offset, parts, macs, params, refusal}; ms is null where the table refuses.
function answerOf(table, spec) {
  const family = familyOf(spec);
  const problem = family.problem(spec);
  if (problem !== null) return { ms: null, macs: null, params: null, refusal: problem, parts: [] };
  const blocks = family.blocks(spec);
  const more = family.moreParams ? family.moreParams(spec) : 0;
  const params = table.count(blocks, "params");
  const counts = {
    macs: table.count(blocks, "macs"),
    params: params === null ? null : params + more,
  };
  try {
    return { ...table.predict(spec.family, blocks), ...counts, refusal: null };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ms: null, parts: [], ...counts, refusal: error.message };
  }
}

function copyOf(spec) {
  return JSON.parse(JSON.stringify(spec));
}

// The spec as a file that every vitprof command takes: `Spec.to_json`'s fields.
function asJson(spec) {
  return `${JSON.stringify(spec, null, 2)}\n`;
}
