// Lists of jobs and of requests, newest first, with filters that are part of the address.
import { h, name, replace } from "./dom.js";
import { repeat } from "./connection.js";
import { addressOf, filters } from "./filters.js";
import { count, duration, idLink, state, time } from "./format.js";
import { jobTable } from "./overview.js";
import { show } from "./problem.js";
import { table } from "./table.js";
import { notRepeated, walk } from "./walk.js";

const pageLength = 50;

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
        { title: "Jobs", cell: (request) => tally(request) },
        { title: "Took", class: "number", cell: (request) => duration((Date.parse(request.ended_at) - Date.parse(request.created_at)) / 1_000) },
        { title: "Submitted", class: "number", fixed: true, cell: (request) => time(request.created_at) },
      ],
    }),
  });
}

/** `4: audio, text`, or of a single job its kind. */
function tally({ jobs, kinds = [] }) {
  return name(jobs === 1 && kinds.length ? kinds[0] : `${count(jobs)}: ${kinds.join(", ")}`, 60);
}

function list({ signal, query }, { title, one, path, member, shown, states, tag }) {
  const form = filters({
    view: one, query, onChange: () => begin(true),
    fields: {
      state: { title: "State", options: [["", "any"], ...states.map((word) => [word, word])] },
      kind: { title: "Kind" },
      tenant: { title: "Tenant" },
      ...(tag && { tag: { title: "Tag" } }),
      since: { title: "Submitted", options: [["", "any time"], ["900", "last 15 min"], ["3600", "last hour"], ["86400", "last day"], ["604800", "last 7 days"]] },
    },
  });
  const older = h("a", { hidden: true }, "Older");
  const newest = h("a", { hidden: true }, "Newest");
  const said = h("div", { role: "status" });
  let cursor = query.get("cursor") ?? "";
  let current;

  async function page(signal) {
    const filter = form.values();
    const since = Number(filter.since);
    let found = [];
    const { next, long } = await walk(path, { ...filter, since: since ? new Date(Date.now() - since * 1_000).toISOString() : "" }, {
      cursor, wanted: () => pageLength - found.length,
      take(answer) {
        found = found.concat(answer[member]);
        if (!found.length && answer.next) replace(said, "Looking further back …");
      },
    }, signal);
    shown.show(found);
    older.hidden = !next;
    older.href = addressOf(one, { ...filter, cursor: next });
    newest.hidden = !cursor;
    newest.href = addressOf(one, filter);
    replace(said, !found.length && next && "Nothing yet; older ones were not looked at. ", long && notRepeated);
    // What is old changes little, and is not asked for again.
    return !cursor && !long;
  }

  /** Anew, from the newest on, when the filter changed. */
  function begin(changed = false) {
    if (changed) cursor = "";
    current?.abort();
    current = new AbortController();
    replace(said);
    repeat(page, { every: 3, signal: AbortSignal.any([signal, current.signal]), onProblem: (problem) => replace(said, show(problem)) });
  }

  begin();
  return { title, element: h("div", {}, h("h1", {}, title), form.element, shown.element, said, h("div", { class: "pages" }, newest, older)) };
}
