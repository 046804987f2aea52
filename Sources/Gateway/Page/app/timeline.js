// A job's attempts on one line of time. Long waits are drawn shorter than they were, so that what ran stays visible; the
// words beside each bar have the true times.
import { h, s, name, reconcile, replace } from "./dom.js";
import { duration, now, seconds, state, time } from "./format.js";

/** Of all the time that something ran: a single wait takes no more than this. */
const longestWait = 0.35;
/** And a run at least this. */
const shortestRun = 0.02;

export class Timeline {
  element = h("ol", { class: "timeline" });

  show(job) {
    const end = job.ended_at ? seconds(job.ended_at) : now();
    const created = seconds(job.created_at);
    const attempts = (job.attempts ?? []).map((attempt) => ({
      ...attempt, from: seconds(attempt.leased_at), begun: seconds(attempt.started_at), to: attempt.ended_at ? seconds(attempt.ended_at) : end,
    }));
    const scale = scaled(created, end, attempts);
    const open = !job.ended_at;
    const first = attempts[0]?.from ?? end;
    const rows = [row(scale, open, [bar("wait", created, first)], ["Submitted ", time(job.created_at), `, waited ${duration(first - created)}`])];
    attempts.forEach((attempt, index) => {
      const next = attempts[index + 1];
      const begun = Number.isFinite(attempt.begun) ? attempt.begun : attempt.ended_at ? attempt.to : attempt.from;
      const ending = attempt.ending ?? (open ? job.state : "unknown");
      const moved = index > 0 && attempts[index - 1].worker !== attempt.worker && ["returned", "lost"].includes(attempts[index - 1].ending);
      const idle = next ? bar("wait", attempt.to, next.from) : attempt.ended_at && open && bar("wait", attempt.to, end);
      rows.push(row(scale, open, [bar("held", attempt.from, begun), bar(ending, begun, attempt.to), idle, attempt.ended_at && mark(ending, attempt.to), moved && arrow(attempt.from)],
        words(attempt, begun, next, ending)));
    });
    rows.forEach((one, index) => { one.key = index; });
    const cut = scale.pieces.some((piece) => piece.cut);
    rows.push({ key: "ends", ends: true, label: [h("span", {}, time(job.created_at)), h("span", { class: "hint" }, cut ? "long waits are drawn shorter" : ""), h("span", {}, open ? "now" : time(job.ended_at))] });
    reconcile(this.element, rows, (one) => one.key, create, update);
  }
}

function words(attempt, begun, next, ending) {
  const moved = next && ["returned", "lost"].includes(ending) && next.worker !== attempt.worker;
  return [
    h("b", {}, `Attempt ${attempt.attempt}`), " ", name(attempt.worker, 32), " ", state(ending), " ",
    ...took(attempt, begun),
    attempt.error_class && [": ", h("code", {}, name(attempt.error_class, 40)), " ", name(attempt.error, 120)],
    moved && [", went on in ", name(next.worker, 32)],
    attempt.retry_at && ending === "failed" && [", again at ", time(attempt.retry_at)],
  ];
}

/** When an attempt began is known once it ended. */
function took(attempt, begun) {
  if (!attempt.ended_at) return [`for ${duration(attempt.to - attempt.from)}`];
  if (!attempt.started_at) return [`held ${duration(attempt.to - attempt.from)}, not started`];
  return [begun - attempt.from > 0.05 && `held ${duration(begun - attempt.from)}, `, `ran ${duration(attempt.to - begun)}`];
}

function row(scale, open, marks, label) {
  const drawn = marks.filter(Boolean).map((draw) => draw(scale));
  return { label, drawing: [drawn, open && s("line", { class: "now", x1: "100%", x2: "100%", y1: -6, y2: 24 })] };
}

function create(row) {
  return row.ends ? h("li", { class: "ends" }) : h("li", {}, h("div", { class: "label" }), s("svg", { width: "100%", height: 18, "aria-hidden": "true" }));
}

/** Drawn anew each second; words that are the same stay, and with them a selection. */
function update(item, row) {
  const label = row.ends ? item : item.firstChild;
  const fresh = h("div", {}, row.label);
  if (label.textContent !== fresh.textContent) replace(label, [...fresh.childNodes]);
  if (!row.ends) replace(item.lastChild, row.drawing);
}

function bar(kind, from, to) {
  if (!(to >= from)) return null;
  return (scale) => {
    const start = scale.at(from);
    const thin = kind === "wait" || kind === "held";
    return s("rect", {
      class: `bar ${/^[a-z]+$/.test(kind) ? kind : ""}`, x: `${start}%`, width: `${Math.max(scale.at(to) - start, thin ? 0 : 0.4)}%`,
      y: thin ? 8 : 3, height: thin ? 2 : 12, rx: thin ? 0 : 2,
    });
  };
}

/** It came from another worker. */
function arrow(at) {
  return (scale) => s("text", { class: "mark", x: `${scale.at(at)}%`, y: 13, dx: -3, "text-anchor": "end" }, "↳");
}

/** How it ended, as a shape of its own. */
function mark(ending, at) {
  return (scale) => {
    const place = scale.at(at);
    const inside = place > 97;
    return s("text", { class: `mark ${/^[a-z]+$/.test(ending) ? ending : ""}${inside ? " inside" : ""}`, x: `${place}%`, y: 13, dx: inside ? -4 : 4, "text-anchor": inside ? "end" : "start" },
      { succeeded: "✓", returned: "↩", lost: "?", cancelled: "–", expired: "–" }[ending] ?? "✕");
  };
}

/** From a time to percents, piece by piece. */
function scaled(start, end, attempts) {
  const borders = [...new Set([start, end, ...attempts.flatMap((one) => [one.from, one.to])])]
    .filter((at) => at >= start && at <= end).sort((a, b) => a - b);
  const pieces = borders.slice(1).map((to, index) => {
    const from = borders[index];
    return { from, to, length: to - from, busy: attempts.some((one) => one.from <= from && one.to >= to) };
  });
  const ran = pieces.reduce((sum, piece) => sum + (piece.busy ? piece.length : 0), 0);
  for (const piece of pieces) {
    piece.cut = !piece.busy && ran > 0 && piece.length > ran * longestWait;
    piece.weight = piece.busy ? Math.max(piece.length, ran * shortestRun) : piece.cut ? ran * longestWait : piece.length;
  }
  const all = pieces.reduce((sum, piece) => sum + piece.weight, 0) || 1;
  return {
    pieces,
    at(when) {
      let left = 0;
      for (const piece of pieces) {
        if (when < piece.to) return left + (100 * piece.weight * Math.max(0, when - piece.from)) / piece.length / all;
        left += (100 * piece.weight) / all;
      }
      return 100;
    },
  };
}
