// A request's jobs and what waits for what: a graph while it is small, else one square a job.
import { clean, h, s, replace } from "./dom.js";

const most = 40;
const box = { width: 150, height: 42, right: 46, below: 12 };

export class Graph {
  element = h("div", { class: "graph" });

  show(jobs) {
    const said = JSON.stringify(jobs.map((job) => [job.id, job.state, job.after, job.retry_of]));
    if (said === this.said) return;
    this.said = said;
    if (jobs.length < 2) return replace(this.element);
    replace(this.element, jobs.length <= most ? drawn(jobs) : mosaic(jobs));
  }
}

/** Columns by how far a job is from the first. */
function drawn(jobs) {
  const byIndex = new Map(jobs.filter((job) => !job.retry_of).map((job) => [job.index, job]));
  const byID = new Map(jobs.map((job) => [job.id, job]));
  const before = new Map(jobs.map((job) => [job, job.retry_of ? [byID.get(job.retry_of)].filter(Boolean) : (job.after ?? []).map((index) => byIndex.get(index)).filter(Boolean)]));
  const depths = new Map();
  const depth = (job, seen = new Set()) => {
    if (depths.has(job)) return depths.get(job);
    if (seen.has(job)) return 0; // Not what a gateway says; it must not hang the page.
    seen.add(job);
    const found = Math.max(-1, ...before.get(job).map((one) => depth(one, seen))) + 1;
    depths.set(job, found);
    return found;
  };
  const columns = [];
  // With nothing to wait for, a column would be tall and say nothing: rows of six.
  const flat = jobs.every((job) => before.get(job).length === 0);
  const places = new Map();
  jobs.forEach((job, index) => {
    const column = flat ? index % 6 : depth(job);
    (columns[column] ??= []).push(job);
    places.set(job, { x: 1 + column * (box.width + (flat ? 12 : box.right)), y: 1 + (columns[column].length - 1) * (box.height + box.below) });
  });
  const width = Math.max(...[...places.values()].map(({ x }) => x)) + box.width + 1;
  const height = Math.max(...columns.map((column) => column?.length ?? 0)) * (box.height + box.below) - box.below + 2;
  const edges = jobs.flatMap((job) => before.get(job).map((one) => edge(places.get(one), places.get(job), Boolean(job.retry_of))));
  return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Jobs and what they wait for" }, edges, jobs.map((job) => node(job, places.get(job))));
}

function edge(from, to, retry) {
  const start = from.x + box.width;
  const middle = (start + to.x) / 2;
  const y1 = from.y + box.height / 2;
  const y2 = to.y + box.height / 2;
  return s("path", { class: retry ? "edge retry" : "edge", d: `M${start} ${y1}C${middle} ${y1} ${middle} ${y2} ${to.x} ${y2}` });
}

function node(job, { x, y }) {
  const mark = /^[a-z]+$/.test(job.state) ? job.state : "";
  const kind = clean(job.kind).slice(0, 18);
  return s("a", { class: `node ${mark}`, href: `#/jobs/${encodeURIComponent(job.id)}`, "data-focus": job.id, "aria-label": `Job ${job.index}, ${kind}, ${job.state}` },
    s("rect", { x, y, width: box.width, height: box.height, rx: 6 }),
    s("rect", { class: "edge-mark", x, y, width: 4, height: box.height, rx: 2 }),
    s("text", { x: x + 14, y: y + 18 }, kind),
    s("text", { class: "hint", x: x + 14, y: y + 33 }, `${job.index} · ${job.state}${job.retry_of ? " · retry" : ""}`));
}

function mosaic(jobs) {
  const counts = Map.groupBy(jobs, (job) => job.state);
  const words = [...counts].map(([state, of]) => `${of.length} ${state}`).join(", ");
  const across = 64;
  return s("svg", { class: "mosaic", viewBox: `0 0 ${across * 10} ${Math.ceil(jobs.length / across) * 10}`, role: "img", "aria-label": words },
    jobs.map((job, index) => s("rect", { class: `square ${/^[a-z]+$/.test(job.state) ? job.state : ""}`, x: (index % across) * 10, y: Math.floor(index / across) * 10, width: 8.5, height: 8.5, rx: 1.5 })));
}
