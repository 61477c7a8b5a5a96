// A closed form as closed_forms.py writes it: a number, an axis, or [operator, left, right].

function evaluated(form, dims) {
  if (typeof form === "number") return form;
  if (typeof form === "string") return dims[form];
  const [operator, left, right] = form;
  const a = evaluated(left, dims);
  const b = evaluated(right, dims);
  switch (operator) {
    case "+": return a + b;
    case "-": return a - b;
    case "*": return a * b;
    case "//": return Math.floor(a / b);
    case "**": return a ** b;
    default: throw new Error("unknown operator of a closed form");
  }
}

// What blocks of these dims count ("macs", "params", "read"); null where nobody knows.
function countOf(op, dims, what) {
  const forms = op.forms[op.fixed.map((axis) => dims[axis]).join(",")];
  const form = forms ? forms[what] : null;
  return form === null || form === undefined ? null : evaluated(form, dims);
}
