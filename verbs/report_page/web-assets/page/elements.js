// Elements of the page. Every text goes in as text: nothing out of a table is ever parsed as HTML.

function el(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "text") made.textContent = printable(value);
    else if (name === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? "" : value);
    }
  }
  made.append(...children);
  return made;
}

// A text without control and direction characters: they could make it read as another.
function printable(value) {
  return String(value).replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

function section(title, id, ...children) {
  return el("section", { id }, el("h2", { text: title }), ...children);
}

function paragraph(text, kind = "") {
  return el("p", { text, class: kind });
}

// columns: headings; rows: texts. The first column is text, the others are numbers.
function textTable(columns, rows) {
  const cells = (tag, values) =>
    values.map((value, i) => el(tag, { text: value, class: i ? "number" : "" }));
  return el(
    "div",
    { class: "scroll" },
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, ...cells("th", columns))),
      el("tbody", {}, ...rows.map((row) => el("tr", {}, ...cells("td", row))))
    )
  );
}

// A chart's numbers as a table, for those who cannot see or hover it.
function asTable(title, columns, rows) {
  return el("details", {}, el("summary", { text: title }), textTable(columns, rows));
}

// choices: [value, text] each; `change` gets the chosen value.
function choice(label, choices, chosen, change) {
  const select = el("select", {
    "aria-label": label,
    on: { change: (event) => change(choices[event.target.selectedIndex][0]) },
  });
  choices.forEach(([value, text]) => {
    select.append(el("option", { text, selected: value === chosen }));
  });
  return el("label", { class: "choice" }, el("span", { text: label }), select);
}
