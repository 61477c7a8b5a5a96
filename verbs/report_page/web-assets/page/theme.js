// Colours out of the style sheet, and what is drawn anew when they change: dark, light and print.

const redrawn = new Set();
const darkness = window.matchMedia("(prefers-color-scheme: dark)");

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function seriesColour(number) {
  return colour(`series-${(number % 6) + 1}`);
}

function redrawAll() {
  for (const draw of redrawn) draw();
}

darkness.addEventListener("change", redrawAll);
window.addEventListener("beforeprint", () => {
  document.documentElement.classList.add("printing");
  redrawAll();
});
window.addEventListener("afterprint", () => {
  document.documentElement.classList.remove("printing");
  redrawAll();
});
