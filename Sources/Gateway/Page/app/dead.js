// Dead letters by what went wrong, and orders for all that fit a filter: never without having counted them first.
import { clean, h, name, replace } from "./dom.js";
import { post } from "./api.js";
import { repeat } from "./connection.js";
import { ask } from "./dialog.js";
import { addressOf, filters } from "./filters.js";
import { count, idLink, state, time } from "./format.js";
import { show } from "./problem.js";
import { session } from "./session.js";
import { table } from "./table.js";
import { notRepeated, walk } from "./walk.js";

const pageLength = 50;
const path = "/v1/dead-letters";

export function dead({ signal, query }) {
  const mayOperate = session.allows("operate");
  const said = h("div", { role: "status" });
  const all = h("span", { class: "orders" });
  const form = filters({ view: "dead", query, fields: { kind: { title: "Kind" }, error_class: { title: "Error class" }, tenant: { title: "Tenant" } }, onChange: changed }, all);
  let filter = form.values();
  let cursor = "";
  let next = null;
  let current;
  // As they were seen last; and whether that is all of them.
  let seen = { groups: [], whole: true };

  const groups = table({
    caption: "Dead letters by kind and error", empty: "Nothing failed for good. ", keyOf: (group) => JSON.stringify([filter, group.kind, group.error_class, group.first_line]),
    columns: [
      { title: "Count", class: "number", cell: (group) => h("strong", {}, count(group.count)) },
      { title: "Kind", fixed: true, cell: (group) => h("a", { href: addressOf("dead", { ...filter, kind: group.kind }) }, name(group.kind, 32)) },
      { title: "Error", head: true, class: "error", fixed: true, cell: (group) => [h("a", { href: addressOf("dead", { ...filter, kind: group.kind, error_class: group.error_class }) }, name(group.error_class || "unknown", 40)), " ", name(group.first_line, 160)] },
      { title: "Newest", class: "number wide", cell: (group) => time(group.newest) },
      { title: "Oldest", class: "number wide", cell: (group) => time(group.oldest) },
      ...(mayOperate ? [{ title: h("span", { class: "hidden" }, "Order"), class: "order wide", fixed: true, cell: (group) => orders({ ...filter, kind: group.kind, error_class: group.error_class }, group) }] : []),
    ],
  });
  const letters = table({
    caption: "Single dead letters, newest first", empty: "No dead letters fit.", keyOf: (letter) => letter.id,
    columns: [
      { title: "Job", head: true, fixed: true, cell: (letter) => idLink("jobs", letter.id) },
      { title: "State", class: "wide", cell: (letter) => state(letter.state) },
      { title: "Kind", fixed: true, cell: (letter) => name(letter.kind, 24) },
      { title: "Tenant", class: "wide", fixed: true, cell: (letter) => name(letter.tenant, 24) },
      { title: "Error", class: "error", fixed: true, cell: (letter) => name(`${letter.error_class ?? ""}: ${letter.error ?? ""}`, 140) },
      { title: "Ended", class: "number wide", fixed: true, cell: (letter) => time(letter.ended_at) },
    ],
  });
  const older = h("button", { type: "button", onclick: () => turn(next) }, "Older");
  const newest = h("button", { type: "button", onclick: () => turn("") }, "Newest");

  function changed() {
    filter = form.values();
    if (mayOperate) replace(all, "All that fit: ", orders(filter));
    turn("");
  }

  function turn(to) {
    cursor = to;
    begin();
  }

  async function page(signal) {
    let found = [];
    let parts = [];
    const [single, grouped] = await Promise.all([
      walk(path, filter, { cursor, wanted: () => pageLength - found.length, take: (answer) => { found = found.concat(answer.letters); } }, signal),
      walk(path, { ...filter, group: "true" }, { wanted: () => 1_000, take: (answer) => { parts = parts.concat(answer.groups); } }, signal),
    ]);
    seen = { groups: together(parts), whole: !grouped.next };
    groups.show(seen.groups);
    letters.show(found);
    next = single.next;
    older.hidden = !next;
    newest.hidden = !cursor;
    const long = single.long || grouped.long;
    replace(said, grouped.next && "Groups are of the newest alone; older ones were not looked at. ", long && notRepeated);
    return !long;
  }

  /** Anew: with another filter, of another page, or after an order. */
  function begin() {
    current?.abort();
    current = new AbortController();
    repeat(page, { every: 5, signal: AbortSignal.any([signal, current.signal]), onProblem: (problem) => replace(said, show(problem)) });
  }

  /** @param group the row that they stand in: they reach more, if other rows are of the same kind and class */
  function orders(what, group) {
    const row = group ? `, among them: ${clean(group.first_line).slice(0, 160)}` : "";
    return [["Retry", retry], ["Drop", drop]].map(([word, order]) => h("button", {
      type: "button", class: "small", "data-focus": word, onclick: () => order(what, begin, (matched) => group && others(group, matched)), "aria-label": `${word} ${words(what)}${row}`,
    }, `${word} …`));
  }

  /** Said before an order from a group's row: the filter has no words for the text of an error. */
  function others(group, matched) {
    const more = matched - (seen.groups.find((other) => keyOf(other) === keyOf(group))?.count ?? 0);
    return more > 0 && h("p", { class: "notice" }, h("strong", {}, seen.whole ? "" : "Up to ", count(more)), more === 1 ? " of them is not in this row" : " of them are not in this row", " (", name(group.first_line, 80), "): an order reaches all of a kind and error class, whatever the text.");
  }

  if (mayOperate) replace(all, "All that fit: ", orders(filter));
  begin();
  return {
    title: "Dead letters",
    element: h("div", {}, h("h1", {}, "Dead letters"),
      form.element, said,
      h("section", {}, h("h2", {}, "By error"), groups.element),
      h("section", {}, h("h2", {}, "One by one"), letters.element, h("div", { class: "pages" }, newest, older))),
  };
}

function keyOf(group) { return JSON.stringify([group.kind, group.error_class, group.first_line]); }

/** Groups that came in steps, the largest first. */
function together(parts) {
  const alike = Map.groupBy(parts, (part) => keyOf(part));
  const whole = [...alike.values()].map((those) => ({
    ...those[0], count: those.reduce((sum, part) => sum + part.count, 0),
    newest: those.map((part) => part.newest).sort().at(-1), oldest: those.map((part) => part.oldest).sort()[0],
  }));
  return whole.sort((one, other) => other.count - one.count).slice(0, pageLength);
}

function words(filter) {
  const parts = Object.entries(filter).filter(([, value]) => value).map(([field, value]) => `${field.replace("_", " ")} ${value}`);
  return parts.length ? `all of ${parts.join(", ")}` : "all dead letters";
}

/** As an order says it: one that forgot its filter must not reach everything. */
function asked(filter) {
  return Object.values(filter).some((value) => value) ? filter : { all: true };
}

/** Each looks for half a second: what fits little on a long history is looked for in so many. */
const mostOrders = 40;

/** What is counted, and what of it nobody may expect. */
async function counted(order, filter, nothing, others) {
  const { matched, next } = await post(`${path}/${order}`, { ...asked(filter), dry_run: true });
  const fit = matched === 1 ? " dead letter fits: " : " dead letters fit: ";
  const far = next && h("p", { class: "notice" }, "It was counted only so far, from the oldest on: there may be more. An order reaches them too.");
  return { matched, ready: matched > 0 || Boolean(next), body: [h("p", {}, next && "At least ", h("strong", {}, count(matched)), fit, name(words(filter), 200), ". ", matched === 0 && !next && nothing), far], more: others(matched) };
}

/**
 * Gives an order, and again from where it stopped looking, until all were looked at.
 * @returns what is left to be said, if it is not over: who asked for so many a second has them one order after the other
 */
function ordering(order, filter, soon) {
  let cursor;
  let reached = 0;
  return async (options) => {
    for (let step = 0; step < mostOrders; step += 1) {
      const answer = await post(`${path}/${order}`, { ...asked(filter), ...options, ...(cursor ? { cursor } : {}) });
      cursor = answer.next;
      reached += answer.matched;
      if (!cursor) return soon();
      if (answer.done === false) break;
    }
    soon();
    return { ready: true, action: "Go on", body: [h("p", {}, "Ordered for the oldest ", h("strong", {}, count(reached)), " that fit. Newer ones were not looked at: go on when these are done.")] };
  };
}

function retry(filter, soon, others) {
  const rate = h("input", { type: "number", min: 1, max: 10_000, placeholder: "as fast as it goes", id: "rate" });
  const give = ordering("retry", filter, soon);
  ask({
    title: "Retry dead letters?", action: "Retry",
    async look() {
      const { matched, ready, body, more } = await counted("retry", filter, "There is nothing to retry.", others);
      return {
        ready, action: matched > 0 ? `Retry ${count(matched)}` : "Retry",
        body: [body, more, ready && [h("p", {}, "Each becomes a new job that starts from the beginning. That cannot be undone, only cancelled."), h("label", { for: "rate" }, "Jobs a second"), rate]],
      };
    },
    act: () => give(rate.value ? { per_second: Number(rate.value) } : {}),
  });
}

function drop(filter, soon, others) {
  const give = ordering("drop", filter, soon);
  ask({
    title: "Drop dead letters?", action: "Drop", danger: true,
    async look() {
      const { matched, ready, body, more } = await counted("drop", filter, "There is nothing to drop.", others);
      return {
        ready, action: matched > 0 ? `Drop ${count(matched)}` : "Drop",
        body: [body, more, ready && h("p", {}, "They leave these lists and can never be retried. This cannot be undone. Their history stays in the journal.")],
      };
    },
    act: () => give({}),
  });
}
