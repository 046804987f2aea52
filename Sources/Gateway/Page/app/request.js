// One request: its jobs as a graph, and each with what it says, what went in and what came out, live.
import { announce, h, name, reconcile, replace, setText } from "./dom.js";
import { get, path, post } from "./api.js";
import { repeat } from "./connection.js";
import { Content } from "./content.js";
import { ask } from "./dialog.js";
import { count, duration, idLink, seconds, state, time } from "./format.js";
import { Graph } from "./graph.js";
import { follow } from "./live.js";
import { Output } from "./output.js";
import { show } from "./problem.js";
import { session } from "./session.js";

/** So many jobs at once; so many of them opened by themselves. */
const pageLength = 25;
const opened = 6;

export function request({ id, signal }) {
  const progress = new RequestProgress(id, signal);
  return {
    title: `Request ${id}`,
    element: h("article", { class: "one" }, h("header", {}, h("h1", {}, h("small", {}, "Request "), name(id, 24)), progress.stands, progress.live, progress.buttons), progress.element),
  };
}

/** Also what the submit form shows below itself. */
export class RequestProgress {
  constructor(id, signal) {
    this.id = id;
    this.signal = signal;
    this.stands = h("span", { class: "stands" });
    this.live = h("span", { class: "streaming" });
    this.buttons = h("div", { class: "actions" });
    this.said = h("div");
    this.facts = h("dl", { class: "facts" });
    this.graph = new Graph();
    this.list = h("div", { class: "jobs" });
    this.pages = h("div", { class: "pages" });
    this.element = h("div", {}, this.said, this.facts, this.graph.element, this.list, this.pages);
    this.panels = new Map();
    this.first = 0;
    this.current = null;
    this.following = new AbortController();
    signal.addEventListener("abort", () => this.unfollow());
    this.asking = repeat(async () => {
      const found = await get(path.request(id), {}, signal);
      if (this.current && this.current.state !== found.state) announce(`Request is ${found.state}.`);
      this.current = found;
      this.draw();
      if (found.state === "open") return true;
      this.unfollow();
      return false;
    }, { every: 5, signal, onProblem: (problem) => replace(this.said, show(problem)) });
    follow(path.request(id, "/events"), {
      signal: this.following.signal, indicator: this.live, onEvent: (event, value) => this.heard(event, value),
    });
  }

  /** From now on it is only asked for. */
  unfollow() {
    this.following.abort();
  }

  heard(event, value) {
    const output = this.panels.get(String(value?.id))?.output;
    if (event === "job.progress") output?.progress(value);
    else if (event === "job.output") output?.output(value);
    else this.asking.soon();
  }

  draw() {
    const one = this.current;
    const said = JSON.stringify([one, this.first]);
    if (said === this.drawn) return; // Selections stay.
    this.drawn = said;
    replace(this.stands, state(one.state));
    const states = [...Map.groupBy(one.jobs, (job) => job.state)].map(([word, of]) => `${count(of.length)} ${word}`);
    replace(this.facts, [
      ["Jobs", one.jobs.length === 1 ? "" : `${count(one.jobs.length)}: ${states.join(", ")}`], ["Tenant", name(one.tenant, 64)], ["Submitted", time(one.created_at)],
      ["Ended", one.ended_at && time(one.ended_at)], ["Took", one.ended_at && duration(seconds(one.ended_at) - seconds(one.created_at))],
    ].filter(([, value]) => value).map(([title, value]) => h("div", {}, h("dt", {}, title), h("dd", {}, value))));
    this.graph.show(one.jobs);
    const page = one.jobs.slice(this.first, this.first + pageLength);
    reconcile(this.list, page, (job) => job.id, (job) => this.panel(job).element, (_, job) => this.panels.get(job.id).update(job));
    const turn = (by, word) => h("button", { type: "button", "data-focus": word, onclick: () => { this.first += by; this.draw(); } }, word);
    replace(this.pages, one.jobs.length > pageLength && [
      this.first > 0 && turn(-pageLength, "Earlier"), h("span", {}, `${this.first + 1} to ${this.first + page.length} of ${count(one.jobs.length)}`),
      this.first + pageLength < one.jobs.length && turn(pageLength, "Later")]);
    replace(this.buttons, (session.allows("operate") || session.allows("submit")) && one.state === "open" && h("button", {
      type: "button", "data-focus": "cancel", onclick: () => ask({
        title: "Cancel this request?", action: "Cancel the request", danger: true,
        look: async () => ({ ready: true, body: h("p", {}, "All of its open jobs end as cancelled; what ended keeps its outcome. This cannot be undone.") }),
        act: async () => { await post(path.request(this.id, "/cancel"), {}); this.asking.soon(); },
      }),
    }, "Cancel …"));
  }

  panel(job) {
    const made = this.panels.get(job.id) ?? new JobPanel(job, this.signal, this.current.jobs.length <= opened);
    this.panels.set(job.id, made);
    return made;
  }
}

/** For when the scheduler does not say. */
const waits = { blocked: "Waits for other jobs of this request.", delayed: "Waits for its time.", queued: "Waits for a slot.", leased: "A worker has it.", running: "" };

class JobPanel {
  constructor(job, signal, open) {
    this.output = new Output();
    this.content = new Content(signal);
    this.summary = h("summary");
    this.waits = h("p", { class: "empty" });
    this.element = h("details", { class: "panel", open, ontoggle: () => this.fill() }, this.summary,
      h("div", { class: "beside" },
        h("section", {}, h("h4", {}, "Input"), this.content.input),
        h("section", {}, h("h4", {}, "Result"), this.waits, this.output.element, this.content.result)));
    this.job = job;
  }

  update(job) {
    this.job = job;
    replace(this.summary, h("span", { class: "index" }, String(job.index)), h("strong", {}, name(job.kind, 40)), state(job.state),
      h("span", { class: "hint" }, job.ended_at ? `took ${duration(seconds(job.ended_at) - seconds(job.created_at))}` : ""), idLink("jobs", job.id));
    if (job.ended_at) this.output.end();
    else this.output.begin();
    this.waits.hidden = Boolean(job.ended_at);
    setText(this.waits, job.waiting_because ?? waits[job.state] ?? "Not yet.");
    this.fill();
  }

  /** Content is fetched for what is opened. */
  fill() {
    if (this.element.open) this.content.update(this.job);
  }
}
