// Sliders, and what the table says of the model that they make.

class Calculator {
  // models: [{name, spec}]; `changed` is called with spec and answer after every change.
  constructor(changed) {
    this.changed = changed;
    this.table = null;
    this.models = [];
    this.spec = null;
    this.layer = null;
    this.start = el("div", { class: "choices" });
    this.sliders = el("div", { class: "sliders" });
    this.result = el("output", { class: "result", "aria-live": "polite" });
    this.said = el("span", { class: "said", role: "status" });
    this.copyButton = el("button", {
      type: "button",
      text: "Copy the spec as JSON",
      on: { click: () => this.copy() },
    });
    this.json = el("textarea", {
      readonly: true,
      rows: 6,
      spellcheck: "false",
      "aria-label": "the spec as JSON",
    });
    this.element = section(
      "Calculator",
      "calculator",
      paragraph(
        "The milliseconds are those of vitprof predict, by the same interpolation. Where the table does not reach, there is no answer."
      ),
      this.start,
      el("div", { class: "two" }, this.sliders, el("div", {}, this.result)),
      el("div", { class: "actions" }, this.copyButton, this.said),
      el("details", {}, el("summary", { text: "the spec as JSON" }), this.json)
    );
  }

  use(table, models) {
    this.table = table;
    this.models = models;
    const families = [...new Set(models.map((one) => one.spec.family))];
    if (!families.length) {
      this.spec = null;
      this.sliders.replaceChildren();
      this.start.replaceChildren();
      this.copyButton.hidden = true;
      this.result.replaceChildren(
        paragraph("The table covers no model of a family that this page knows: vitprof predict answers for others.")
      );
      return;
    }
    this.copyButton.hidden = false;
    const kept = this.spec && families.includes(this.spec.family) ? this.spec.family : families[0];
    this.chooseFamily(kept);
  }

  chooseFamily(family) {
    const models = this.models.filter((one) => one.spec.family === family);
    const named = models.find((one) => !one.measured) || models[0];
    this.chooseModel(named);
  }

  chooseModel(model) {
    this.spec = { ...copyOf(model.spec), name: "custom" };
    this.layer = null;
    this.from = model;
    this.drawStart();
    this.drawSliders();
    this.answer();
  }

  drawStart() {
    const families = [...new Set(this.models.map((one) => one.spec.family))];
    const of = this.models.filter((one) => one.spec.family === this.spec.family);
    const depth = familyOf(this.spec).layers(this.spec);
    const layers = [[null, "all layers"], ...Array.from({ length: depth }, (_, n) => [n, `layer ${n + 1}`])];
    this.start.replaceChildren(
      choice("family", families.map((one) => [one, one]), this.spec.family, (family) =>
        this.chooseFamily(family)
      ),
      choice("start from", of.map((one) => [one, one.name]), this.from, (model) =>
        this.chooseModel(model)
      ),
      ...(depth
        ? [choice("heads and MLP of", layers, this.layer, (layer) => {
            this.layer = layer;
            this.drawSliders();
          })]
        : [])
    );
  }

  drawSliders() {
    const family = familyOf(this.spec);
    const layersOf = (spec) =>
      this.layer === null ? spec.layers : spec.layers.slice(this.layer, this.layer + 1);
    const made = family.sliders(this.spec, this.table, layersOf);
    this.sliders.replaceChildren(...made.map((one) => this.sliderElement(one)));
  }

  sliderElement(one) {
    const value = one.get(this.spec);
    const values = one.values;
    const steps = values
      ? { min: 0, max: values.length - 1, step: 1, value: Math.max(0, values.indexOf(value)) }
      : { min: Math.min(one.min, value), max: Math.max(one.max, value), step: one.step, value };
    const range = el("input", { type: "range", ...steps, "aria-label": one.label });
    const number = el("input", { type: "number", min: 0, step: "any", value, "aria-label": `${one.label}, exactly` });
    const set = (wanted) => {
      if (!Number.isFinite(wanted) || wanted < 0) return;
      one.set(this.spec, wanted);
      if (one.label.endsWith("depth") && familyOf(this.spec).layers(this.spec)) this.drawStart();
      this.answer();
    };
    range.addEventListener("input", () => {
      const wanted = values ? values[Number(range.value)] : Number(range.value);
      number.value = String(wanted);
      set(wanted);
    });
    number.addEventListener("change", () => {
      const least = one.min === 0 ? 0 : 1;
      const whole = one.step && one.step < 1 ? Number(number.value) : Math.round(Number(number.value));
      const wanted = Math.min(Math.max(whole, one.step < 1 ? 0.05 : least), one.label.endsWith("depth") ? 1024 : 65536);
      number.value = String(wanted);
      range.value = String(values ? Math.max(0, values.indexOf(wanted)) : wanted);
      set(wanted);
    });
    return el("div", { class: "slider" }, el("label", {}, el("span", { text: one.label }), range), number);
  }

  answer() {
    const answer = answerOf(this.table, this.spec);
    const counts = el(
      "div",
      { class: "counts" },
      el("div", { text: counted(answer.macs, "MACs an image"), id: "macs" }),
      el("div", { text: counted(answer.params, "parameters"), id: "params" })
    );
    if (answer.ms === null) {
      this.result.replaceChildren(
        el("div", { class: "outside", id: "outside", text: `No answer: ${answer.refusal}.` }),
        counts
      );
    } else {
      this.result.replaceChildren(
        el("div", { class: "ms", id: "ms", text: `${inMs(answer.ms)} ms` }),
        el("div", { id: "interval", text: `95 % interval: ${interval(answer.low, answer.high)} ms` }),
        counts,
        el("div", {
          class: "quiet",
          text: `for a run of ${this.table.record.setting.batch} image${this.table.record.setting.batch > 1 ? "s" : ""}`,
        })
      );
    }
    this.json.value = asJson(this.spec);
    this.said.textContent = "";
    this.changed(this.spec, answer);
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.json.value);
      this.said.textContent = "copied";
    } catch {
      this.json.closest("details").open = true;
      this.json.select();
      this.said.textContent = "the browser does not let a page copy: it is selected below";
    }
  }
}
