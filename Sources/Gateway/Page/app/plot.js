// Lines over the last minutes, drawn as SVG. Times without a sample stay a gap: a hidden tab asked for nothing.
import { h, s, setText } from "./dom.js";

const width = 600;
const height = 150;
/** Seconds that are shown: more as there is more to show. */
const spans = [60, 120, 300];

/**
 * @param series `{title, class, of(sample)}`; `of` returns a number, or NaN
 * @param words formats a value
 * @param gap seconds between two samples that are not joined
 */
export function plot({ title, hint, series, words, gap = 12 }) {
  const grid = [0.25, 0.5, 0.75, 1].map((part) => s("line", { class: "grid", x1: 0, x2: width, y1: y(part), y2: y(part) }));
  const area = s("path", { class: `area ${series[0].class}` });
  const lines = series.map((one) => s("path", { class: `line ${one.class}`, "vector-effect": "non-scaling-stroke" }));
  const cursor = s("line", { class: "cursor", y1: 0, y2: height, visibility: "hidden", "vector-effect": "non-scaling-stroke" });
  const drawing = s("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img" }, grid, area, lines, cursor);
  const values = series.map(() => h("b", {}, "–"));
  const legend = h("ul", { class: "legend" }, series.map((one, index) => h("li", { class: one.class }, one.title, " ", values[index])));
  const top = h("span", { class: "top" });
  const when = h("span", { class: "when" });
  const element = h("figure", { class: "plot" },
    h("figcaption", {}, h("h2", {}, title), legend),
    h("div", { class: "canvas", onpointermove: point, onpointerleave: () => { pointed = null; draw(); } }, drawing, top),
    h("div", { class: "axis" }, when, h("span", { class: "hint" }, hint), h("span", {}, "now")));

  let samples = [];
  let pointed = null;
  let end = 0;
  let span = spans[0];

  function y(part) { return height - 1 - part * (height - 8); }
  function x(at) { return width * (1 - (end - at) / span); }

  function point(event) {
    const box = drawing.getBoundingClientRect();
    const at = end - span * (1 - (event.clientX - box.left) / box.width);
    pointed = samples.reduce((best, one) => (!best || Math.abs(one.at - at) < Math.abs(best.at - at) ? one : best), null);
    draw();
  }

  function draw() {
    const seen = samples.filter((one) => one.at >= end - span);
    const most = Math.max(...seen.flatMap((one) => series.map(({ of }) => of(one))).filter(Number.isFinite), 0);
    const scale = round(most);
    setText(top, scale ? words(scale) : "");
    series.forEach(({ of }, index) => {
      const pieces = runs(seen, of, gap);
      const path = pieces.map((run) => run.map((one, at) => `${at ? "L" : "M"}${x(one.at).toFixed(1)} ${y(of(one) / (scale || 1)).toFixed(1)}`).join("")).join("");
      lines[index].setAttribute("d", path);
      if (index === 0) {
        area.setAttribute("d", pieces.filter((run) => run.length > 1).map((run) =>
          `M${x(run[0].at).toFixed(1)} ${height}` + run.map((one) => `L${x(one.at).toFixed(1)} ${y(of(one) / (scale || 1)).toFixed(1)}`).join("") + `L${x(run.at(-1).at).toFixed(1)} ${height}Z`).join(""));
      }
    });
    const said = pointed && pointed.at >= end - span ? pointed : seen.at(-1);
    cursor.setAttribute("visibility", said && said === pointed ? "visible" : "hidden");
    if (said) {
      cursor.setAttribute("x1", x(said.at));
      cursor.setAttribute("x2", x(said.at));
    }
    setText(when, said && said === pointed ? `${Math.round(end - said.at)} s ago` : `${span / 60} min ago`);
    series.forEach(({ of }, index) => setText(values[index], said && Number.isFinite(of(said)) ? words(of(said)) : "–"));
    drawing.setAttribute("aria-label", `${title}, now: ` + series.map(({ title }, index) => `${title} ${values[index].textContent}`).join(", "));
  }

  return {
    element,
    show(all, now) {
      samples = all;
      end = now;
      const age = end - (all[0]?.at ?? end);
      span = spans.find((one) => one >= age) ?? spans.at(-1);
      draw();
    },
  };
}

function runs(samples, of, gap) {
  const all = [];
  let last = -Infinity;
  for (const one of samples) {
    if (!Number.isFinite(of(one))) continue;
    if (one.at - last > gap) all.push([]);
    all.at(-1).push(one);
    last = one.at;
  }
  return all;
}

/** The next of 1, 2, 5, 10, 20 … */
function round(most) {
  if (!(most > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most * 0.999);
}
