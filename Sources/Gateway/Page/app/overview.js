// How everything stands: queues, rates, times, workers, and the newest jobs.
import { h, replace, setText, name } from "./dom.js";
import { get, post } from "./api.js";
import { repeat } from "./connection.js";
import { count, duration, idLink, now, rate, state, time } from "./format.js";
import { ask } from "./dialog.js";
import { plot } from "./plot.js";
import { session } from "./session.js";
import { show } from "./problem.js";
import { table } from "./table.js";
import { kinds, standing, workers } from "./workers.js";
import { Samples } from "./samples.js";

const samples = new Samples();
session.onChange(() => samples.clear()); // Somebody else may see something else.

export function overview({ signal }) {
  const figures = ["Open jobs", "Leased", "Finished a second", "Backlog", "Journal commit", "Up"].map((title) => {
    const value = h("dd", {}, "–");
    return { element: h("div", {}, h("dt", {}, title), value), say: (text, mark) => { setText(value, text); value.className = mark ?? ""; } };
  });
  const throughput = plot({
    title: "Throughput", hint: "jobs a second", words: rate,
    series: [
      { title: "succeeded", class: "good", of: (one) => one.rates?.succeeded ?? NaN },
      { title: "submitted", class: "plain", of: (one) => one.rates?.submitted ?? NaN },
      { title: "failed", class: "bad", of: (one) => one.rates?.failed ?? NaN },
    ],
  });
  const latency = plot({
    title: "Latency", hint: "submit to end, of the newest jobs", words: duration, gap: 40,
    series: [
      { title: "p95", class: "run", of: (one) => one.times?.p95 ?? NaN },
      { title: "median", class: "plain", of: (one) => one.times?.p50 ?? NaN },
      { title: "median wait", class: "wait", of: (one) => one.times?.wait ?? NaN },
    ],
  });
  const queues = queueTable(() => asking.soon());
  const pool = workers(() => asking.soon(), signal);
  const live = jobTable("Newest jobs");
  const said = h("div");
  const pauses = h("p", { class: "notice", hidden: true });
  const mayOperate = session.allows("operate");

  const element = h("div", { class: "overview" },
    h("h1", {}, "Overview"), said, pauses,
    h("dl", { class: "figures" }, figures.map((figure) => figure.element)),
    h("div", { class: "plots" }, throughput.element, latency.element),
    h("section", {}, h("h2", {}, "Queues"), queues.element),
    mayOperate && pool.element,
    h("section", {}, h("h2", {}, "Newest jobs ", h("a", { class: "more", href: "#/jobs" }, "all jobs")), live.element));

  const asking = repeat(async () => {
    const [queueList, status, jobList, workerList] = await Promise.all([
      get("/v1/queues", {}, signal), get("/v1/status", {}, signal), get("/v1/jobs", { limit: 100 }, signal),
      mayOperate ? get("/v1/workers", {}, signal) : null,
    ]);
    samples.add(status, jobList.jobs);
    const leased = queueList.queues.reduce((sum, queue) => sum + (queue.leased ?? 0), 0);
    const waiting = queueList.queues.reduce((sum, queue) => sum + (queue.queued ?? 0) + (queue.delayed ?? 0) + (queue.blocked ?? 0), 0);
    if (workerList) for (const queue of queueList.queues) queue.expected_seconds = expectedSeconds(queue, workerList.workers);
    const expected = queueList.queues.map(backlog).filter(Number.isFinite);
    const rates = samples.last?.rates;
    figures[0].say(count(status.open_jobs ?? waiting + leased));
    figures[1].say(count(leased));
    figures[2].say(rates ? rate(rates.succeeded + rates.failed) : "–");
    figures[3].say(expected.length ? duration(Math.max(...expected)) : "–");
    const journal = status.journal;
    if (journal) figures[4].say(journal.state === "up" ? duration(journal.commit_ms / 1_000) : "down", journal.state === "up" ? "" : "bad");
    figures[5].say(duration(status.uptime_seconds));
    throughput.show(samples.all, now());
    latency.show(samples.all, now());
    queues.show(queueList.queues);
    if (workerList) pool.show(workerList.workers);
    live.show(jobList.jobs.slice(0, 25));
    const paused = (status.paused ?? []).map((pause) => pause.what + (pause.by ? ` (by ${pause.by})` : ""));
    pauses.hidden = !paused.length && journal?.state !== "down";
    replace(pauses, journal?.state === "down" ? `The journal is down: ${journal.reason ?? "no reason is known"}. Nothing new starts; nothing is lost. ` : "",
      paused.length ? ["Paused: ", name(paused.join(", "), 300)] : "");
  }, { every: 2, signal, onProblem: (problem) => replace(said, show(problem)) });

  return { title: "Overview", element };
}

const parts = ["leased", "queued", "delayed", "blocked"];

function open(queue) {
  return parts.reduce((sum, part) => sum + (queue[part] ?? 0), 0);
}

/** How long the workers that serve a kind have to do at what is queued; of one slot, while there are none. */
function expectedSeconds(queue, workers) {
  const slots = workers.filter((worker) => standing(worker) === "serving" && kinds(worker).includes(queue.kind)).reduce((sum, worker) => sum + worker.slots, 0);
  return queue.backlog_seconds / Math.max(slots, 1);
}

/** Whoever may not see workers is told what one slot would have to do. */
function backlog(queue) {
  return queue.expected_seconds ?? queue.backlog_seconds;
}

function queueTable(soon) {
  const mayOperate = session.allows("operate");
  const number = (field) => (queue) => h("span", { class: queue[field] ? "" : "none" }, count(queue[field] ?? 0));
  const list = table({
    caption: "Queues by kind", empty: "No kind has jobs or workers yet.", keyOf: (queue) => queue.kind,
    columns: [
      { title: "Kind", head: true, cell: (queue) => [
        h("a", { href: `#/jobs?kind=${encodeURIComponent(queue.kind)}`, "data-focus": "kind" }, name(queue.kind, 40)),
        (queue.paused || queue.paused_by) && h("span", { class: "tag" }, "paused"),
        queue.circuit && queue.circuit !== "closed" && h("span", { class: "tag bad" }, `circuit ${queue.circuit}`)] },
      { title: h("span", { class: "hidden" }, "Share"), class: "share wide", cell: (queue) => h("span", { class: "bars", "aria-hidden": "true", "--share": `${queue.share}%` },
        parts.map((part) => queue[part] > 0 && h("i", { class: part, "--n": String(Math.log1p(queue[part])) }))) },
      { title: "Leased", class: "number wide", cell: number("leased") },
      { title: "Queued", class: "number", cell: number("queued") },
      { title: "Delayed", class: "number wide", cell: number("delayed") },
      { title: "Blocked", class: "number wide", cell: number("blocked") },
      { title: "Backlog", class: "number", cell: (queue) => duration(backlog(queue)) },
      { title: "Oldest", class: "number wide", cell: (queue) => duration(queue.oldest_seconds) },
      ...(mayOperate ? [{ title: h("span", { class: "hidden" }, "Order"), class: "order", cell: (queue) => pauseButton(queue, soon) }] : []),
    ],
  });
  return {
    element: list.element,
    /** The fullest first. Bars are logarithmic: a queue of ten stays visible beside one of a million. */
    show(queues) {
      const most = Math.max(1, ...queues.map(open));
      const shares = queues.map((queue) => ({ ...queue, share: Math.round((100 * Math.log1p(open(queue))) / Math.log1p(most)) }));
      list.show(shares.sort((a, b) => open(b) - open(a) || (a.kind < b.kind ? -1 : 1)));
    },
  };
}

function pauseButton(queue, soon) {
  const paused = Boolean(queue.paused || queue.paused_by);
  const word = paused ? "Resume" : "Pause";
  return h("button", {
    type: "button", class: "small", "data-focus": "pause", "aria-label": `${word} ${queue.kind}`,
    onclick: () => ask({
      title: `${word} this kind?`, action: word,
      look: async () => ({ ready: true, body: h("p", {}, name(queue.kind), paused
        ? ": its jobs start again." : ": its jobs start no more, also after restarts. What runs goes on, and submits are taken.") }),
      act: async () => { await post(`/v1/${word.toLowerCase()}`, { kind: queue.kind }); soon(); },
    }),
  }, word);
}

/** Jobs, one a row: also what the list of jobs shows. */
export function jobTable(caption) {
  return table({
    caption, empty: "No jobs here.", keyOf: (job) => job.id,
    columns: [
      { title: "Job", head: true, fixed: true, cell: (job) => idLink("jobs", job.id) },
      { title: "State", cell: (job) => state(job.state) },
      { title: "Kind", fixed: true, cell: (job) => name(job.kind, 24) },
      { title: "Tenant", class: "wide", fixed: true, cell: (job) => name(job.tenant, 24) },
      { title: "Worker", class: "wide", cell: (job) => (job.worker ? name(job.worker, 24) : "") },
      { title: "Tries", class: "number wide", cell: (job) => String(job.attempts_begun ?? "") },
      { title: "Waited", class: "number wide", cell: (job) => duration((Date.parse(job.leased_at) - Date.parse(job.created_at)) / 1_000) },
      { title: "Ran", class: "number wide", cell: (job) => duration((Date.parse(job.ended_at) - Date.parse(job.started_at ?? job.leased_at)) / 1_000) },
      { title: "Submitted", class: "number", fixed: true, cell: (job) => time(job.created_at) },
      { title: "Error, or why it waits", class: "wide error", cell: (job) => {
        if (job.error_class) return name(`${job.error_class}: ${job.error ?? ""}`, 60);
        return job.waiting_because && !job.ended_at ? h("span", { class: "hint" }, name(job.waiting_because, 60)) : "";
      } },
    ],
  });
}
