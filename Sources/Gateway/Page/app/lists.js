// Lists of jobs and of requests, newest first, with filters that are part of the address.
import { h, name, replace } from "./dom.js";
import { get } from "./api.js";
import { repeat } from "./connection.js";
import { count, duration, idLink, state, time } from "./format.js";
import { jobTable } from "./overview.js";
import { show } from "./problem.js";
import { table } from "./table.js";

const pageLength = 50;
/** A list walks back in bounded steps and may answer nothing but a cursor; so many are followed by themselves. */
const steps = 40;

export function jobs(context) {
  return list(context, {
    title: "Jobs", one: "jobs", path: "/v1/jobs", member: "jobs", shown: jobTable("Jobs"),
    states: ["queued", "delayed", "blocked", "leased", "running", "succeeded", "failed", "dead", "cancelled", "expired"], tag: true,
  });
}

export function requests(context) {
  return list(context, {
    title: "Requests", one: "requests", path: "/v1/requests", member: "requests", states: ["open", "succeeded", "failed", "cancelled"],
    shown: table({
      caption: "Requests", empty: "No requests here.", keyOf: (request) => request.id,
      columns: [
        { title: "Request", head: true, fixed: true, cell: (request) => idLink("requests", request.id) },
        { title: "State", cell: (request) => state(request.state) },
        { title: "Tenant", class: "wide", fixed: true, cell: (request) => name(request.tenant, 24) },
        { title: "Jobs", cell: (request) => tally(request.jobs) },
        { title: "Took", class: "number", cell: (request) => duration((Date.parse(request.ended_at) - Date.parse(request.created_at)) / 1_000) },
        { title: "Submitted", class: "number", fixed: true, cell: (request) => time(request.created_at) },
      ],
    }),
  });
}

/** `3 audio, 1 text`; a list may also say only how many there are. */
function tally(jobs) {
  if (!Array.isArray(jobs)) return jobs === undefined ? "" : count(jobs);
  const kinds = Map.groupBy(jobs, (job) => job.kind);
  return name([...kinds].map(([kind, of]) => (of.length > 1 ? `${of.length} ${kind}` : kind)).join(", "), 60);
}

function list({ signal, query }, { title, one, path, member, shown, states, tag }) {
  const fields = {
    state: h("select", { name: "state" }, h("option", { value: "" }, "any"), states.map((word) => h("option", {}, word))),
    kind: h("input", { name: "kind", maxlength: 64, placeholder: "any" }),
    tenant: h("input", { name: "tenant", maxlength: 128, placeholder: "any" }),
    ...(tag ? { tag: h("input", { name: "tag", maxlength: 128, placeholder: "any" }) } : {}),
    since: h("select", { name: "since" }, h("option", { value: "" }, "any time"),
      [["900", "15 min"], ["3600", "1 h"], ["86400", "1 day"], ["604800", "7 days"]].map(([value, word]) => h("option", { value }, word))),
  };
  for (const [field, input] of Object.entries(fields)) input.value = query.get(field) ?? "";
  const form = h("form", { class: "filters", onsubmit: choose, onchange: choose }, Object.entries(fields).map(([field, input]) => h("label", {}, field[0].toUpperCase() + field.slice(1), input)),
    h("button", {}, "Show"), h("a", { href: `#/${one}` }, "clear"));
  const older = h("button", { type: "button", hidden: true, onclick: () => turn() }, "Older");
  const newest = h("a", { href: `#/${one}`, hidden: true }, "Newest");
  const said = h("div", { role: "status" });

  function choose(event) {
    event.preventDefault();
    const chosen = Object.entries(fields).map(([field, input]) => [field, input.value.trim()]).filter(([, value]) => value);
    location.hash = `#/${one}${chosen.length ? `?${new URLSearchParams(chosen)}` : ""}`;
  }

  function turn() {
    const there = new URLSearchParams(query);
    there.set("cursor", next);
    location.hash = `#/${one}?${there}`;
  }

  let next = null;
  const cursor = query.get("cursor") ?? "";
  newest.hidden = !cursor;

  async function page() {
    const since = Number(query.get("since"));
    const filter = Object.fromEntries(Object.keys(fields).map((field) => [field, query.get(field)]));
    filter.since = since ? new Date(Date.now() - since * 1_000).toISOString() : "";
    let found = [];
    let from = cursor;
    for (let step = 0; step < steps; step += 1) {
      const answer = await get(path, { ...filter, limit: pageLength - found.length, cursor: from }, signal);
      found = found.concat(answer[member]);
      next = answer.next;
      if (!next || found.length >= pageLength) break;
      from = next;
      replace(said, found.length ? "" : "Looking further back …");
    }
    shown.show(found);
    older.hidden = !next;
    replace(said, found.length || !next ? "" : "Nothing yet. Older ones were not looked at.");
    // What is old changes little: it is not asked for again.
    return !cursor;
  }

  repeat(page, { every: 3, signal, onProblem: (problem) => replace(said, show(problem)) });
  return { title, element: h("div", {}, h("h1", {}, title), form, shown.element, said, h("div", { class: "pages" }, newest, older)) };
}
