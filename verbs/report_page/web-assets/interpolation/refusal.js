// What the table does not answer: the page says why in place of a number.

class Refusal extends Error {}

function refuseRange(op, axis, value, levels, where = "") {
  const low = levels[0];
  const high = levels[levels.length - 1];
  const measured = low === high ? `only at ${low}` : `from ${low} to ${high}`;
  throw new Refusal(
    `${axis}=${value} of op '${op}' is outside the table: ${axis} was measured ${measured}${where}`
  );
}

function refuseFailed(op, axes, dims, error) {
  const named = axes.map((axis, i) => `${axis}=${dims[i]}`).join(", ");
  throw new Refusal(
    `${op}(${named}) could not be measured on this device, and the model needs it: ${error}`
  );
}
