// One job: how it stands and why, its attempts, what it says while it runs, what went in and what came out.
import { announce, h, name, replace } from "./dom.js";
import { get, path, post } from "./api.js";
import { repeat } from "./connection.js";
import { Content } from "./content.js";
import { ask } from "./dialog.js";
import { duration, idLink, seconds, state, time } from "./format.js";
import { follow } from "./live.js";
import { Output } from "./output.js";
import { show } from "./problem.js";
import { session } from "./session.js";
import { Timeline } from "./timeline.js";

export function job({ id, signal }) {
  const said = h("div");
  const stands = h("span", { class: "stands" });
  const live = h("span", { class: "streaming" });
  const facts = h("dl", { class: "facts" });
  const waits = h("p", { class: "notice", hidden: true });
  const buttons = h("div", { class: "actions" });
  const timeline = new Timeline();
  const output = new Output();
  const content = new Content(signal);
  const body = h("div", { hidden: true }, waits, facts,
    h("section", {}, h("h2", {}, "Attempts"), timeline.element),
    h("section", {}, output.element),
    h("div", { class: "beside" },
      h("section", {}, h("h2", {}, "Input"), content.input),
      h("section", {}, h("h2", {}, "Result"), content.result)));
  let current = null;
  const ending = new AbortController();
  signal.addEventListener("abort", () => ending.abort());

  const asking = repeat(async () => {
    const found = await get(path.job(id), {}, signal);
    if (current && current.state !== found.state) announce(`Job is ${found.state}.`);
    current = found;
    draw();
    if (!found.ended_at) return true;
    ending.abort();
    return false;
  }, { every: 5, signal, onProblem: (problem) => replace(said, show(problem)) });

  let drawn;
  function draw() {
    const one = current;
    timeline.show(one);
    const said = JSON.stringify(one);
    if (said === drawn) return; // Selections stay.
    drawn = said;
    body.hidden = false;
    replace(stands, state(one.state), name(one.kind, 64));
    replace(facts, factsOf(one));
    if (one.ended_at) output.end();
    else output.begin();
    if (!one.ended_at && !content.result.firstChild) content.result.append(h("p", { class: "empty" }, "Not yet."));
    content.update(one);
    const why = waiting(one);
    waits.hidden = !why;
    replace(waits, why ?? "");
    replace(buttons, actions(one, () => asking.soon()));
  }

  follow(path.job(id, "/events"), {
    signal: ending.signal, indicator: live,
    onEvent(event, value) {
      if (event === "job.progress") output.progress(value);
      else if (event === "job.output") output.output(value);
      else asking.soon();
    },
  });

  // The running bar grows.
  const growing = setInterval(() => { if (current && !current.ended_at && !document.hidden) timeline.show(current); }, 1_000);
  signal.addEventListener("abort", () => clearInterval(growing));

  return {
    title: `Job ${id}`,
    element: h("article", { class: "one" },
      h("header", {}, h("h1", {}, h("small", {}, "Job "), name(id, 24)), stands, live, buttons), said, body),
  };
}

/** In the words of the scheduler. */
function waiting(one) {
  return one.waiting_because && !one.ended_at ? [h("strong", {}, "Waits: "), name(one.waiting_because, 500)] : null;
}

function factsOf(one) {
  const fact = (title, value) => value && value !== "–" && h("div", {}, h("dt", {}, title), h("dd", {}, value));
  const list = (values) => (values?.length ? values.map((value) => h("span", { class: "tag" }, name(value, 64))) : "");
  return [
    fact("Request", idLink("requests", one.request)),
    fact("Tenant", name(one.tenant, 64)),
    fact("Submitted", time(one.created_at)),
    fact("Ended", one.ended_at && time(one.ended_at)),
    fact("Took", one.ended_at && duration(seconds(one.ended_at) - seconds(one.created_at))),
    fact("Attempts", one.attempts_begun !== undefined ? `${one.attempts_begun} of ${one.attempts_allowed}` : ""),
    fact("Priority", one.priority === undefined ? "" : String(one.priority)),
    fact("Not before", one.run_at && time(one.run_at)),
    fact("Again at", !one.ended_at && one.retry_at && time(one.retry_at)),
    fact("Deadline", one.deadline && time(one.deadline)),
    fact("Retry of", one.retry_of && idLink("jobs", one.retry_of)),
    fact("Retried as", one.retried_as && idLink("jobs", one.retried_as)),
    fact("Tags", list(one.tags)),
    fact("Labels", list(one.labels)),
  ];
}

function actions(one, soon) {
  const mayOrder = session.allows("operate") || session.allows("submit");
  if (mayOrder && !one.ended_at) {
    return h("button", { type: "button", "data-focus": "cancel", onclick: () => ask({
      title: "Cancel this job?", action: "Cancel the job", danger: true,
      look: async () => ({ ready: true, body: h("p", {}, "If it waits it never starts; if it runs it is stopped. What waits for it is cancelled too. This cannot be undone.") }),
      act: async () => { await post(path.job(one.id, "/cancel"), {}); soon(); },
    }) }, "Cancel …");
  }
  if (mayOrder && ["failed", "dead"].includes(one.state) && !one.retried_as) {
    return h("button", { type: "button", "data-focus": "retry", onclick: () => ask({
      title: "Retry this job?", action: "Retry",
      look: async () => ({ ready: true, body: h("p", {}, "A new job with the same input starts from the beginning. This one keeps its outcome.") }),
      act: async () => {
        await post(path.job(one.id, "/retry"), {});
        const { retried_as: made } = await get(path.job(one.id));
        location.hash = made ? `#/jobs/${encodeURIComponent(made)}` : `#/requests/${encodeURIComponent(one.request)}`;
      },
    }) }, "Retry …");
  }
  return "";
}
