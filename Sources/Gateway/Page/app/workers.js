// Workers with their slots as a grid: what is filled runs, what stands beside it waits there.
import { clean, h, name, reconcile, replace, setText } from "./dom.js";
import { post } from "./api.js";
import { ask } from "./dialog.js";
import { count } from "./format.js";

/** More of them are left out until somebody looks for them by name. */
const most = 48;
const squares = 64;

export function workers(soon, signal) {
  const grid = h("ul", { class: "workers" });
  const summary = h("span", { class: "more" });
  const filter = h("input", { type: "search", placeholder: "Name or kind", "aria-label": "Find workers by name or kind", hidden: true, oninput: () => draw() });
  const empty = h("p", { class: "empty" }, "No worker is connected: nothing runs until one is. ", h("code", {}, "statex worker"), " starts one.");
  const element = h("section", {}, h("h2", {}, "Workers ", summary, filter), grid, empty);
  let all = [];

  function draw() {
    const wanted = filter.value.trim().toLowerCase();
    const fitting = all.filter((worker) => !wanted || `${worker.name} ${kinds(worker).join(" ")}`.toLowerCase().includes(wanted));
    const shown = fitting.slice(0, most);
    reconcile(grid, shown, (worker) => worker.name, card, update);
    empty.hidden = all.length > 0;
    filter.hidden = all.length <= 12;
    const slots = all.reduce((sum, worker) => sum + (worker.slots ?? 0), 0);
    const busy = all.reduce((sum, worker) => sum + Math.min(held(worker), worker.slots ?? 0), 0);
    setText(summary, all.length ? `${count(busy)} of ${count(slots)} slots busy${fitting.length > most ? `, ${most} of ${count(fitting.length)} workers shown` : ""}` : "");
  }

  function card(worker) {
    return h("li", { class: "worker" },
      h("div", { class: "title" }, h("strong", {}, name(worker.name, 32)), h("span", { class: "state" })),
      h("div", { class: "slots", role: "img" }),
      h("p", { class: "hint" }),
      h("button", { type: "button", class: "small", "aria-label": `Drain ${worker.name}`, onclick: () => drain(worker.name) }, "Drain"));
  }

  function update(card, worker) {
    const slots = worker.slots ?? 0;
    const busy = Math.min(held(worker), slots);
    const said = JSON.stringify([worker.state, worker.connected, worker.draining, slots, held(worker), kinds(worker), worker.labels, worker.succeeded, worker.failed]);
    if (card.said === said) return;
    card.said = said;
    const stands = standing(worker);
    const mark = card.querySelector(".state");
    mark.className = `state ${/^[a-z]+$/.test(stands) ? stands : ""}`;
    setText(mark, clean(stands).slice(0, 20));
    const strip = card.querySelector(".slots");
    strip.setAttribute("aria-label", `${busy} of ${slots} slots busy`);
    const drawn = Math.min(slots, squares);
    const full = slots > squares ? Math.round((busy / slots) * drawn) : busy;
    replace(strip, Array.from({ length: drawn }, (_, index) => h("i", { class: index < full ? "busy" : "" })),
      h("span", {}, slots > squares ? `${count(busy)}/${count(slots)}` : "", held(worker) > slots ? ` +${count(held(worker) - slots)} held` : ""));
    const facts = [kinds(worker).join(", ") || "no kind"];
    if (worker.labels?.length) facts.push(worker.labels.join(", "));
    facts.push(`${count(worker.succeeded ?? 0)} done`);
    if (worker.failed) facts.push(`${count(worker.failed)} failed`);
    replace(card.querySelector("p"), name(facts.join(" · "), 160));
    card.querySelector("button").disabled = stands !== "serving";
  }

  function drain(worker) {
    ask({
      title: "Drain this worker?", action: "Drain",
      look: async () => ({ ready: true, body: h("p", {}, name(worker),
        " gets no more jobs, hands back what it has not started, finishes what runs, and ends. A supervisor may start another in its place.") }),
      act: async () => { await post(`/v1/workers/${encodeURIComponent(worker)}/drain`, {}, { signal }); soon(); },
    });
  }

  return {
    element,
    show(list) {
      all = list.toSorted((a, b) => (a.name < b.name ? -1 : 1));
      draw();
    },
  };
}

export function standing(worker) {
  return worker.state ?? (worker.connected === false ? "disconnected" : worker.draining ? "draining" : "serving");
}

function held(worker) {
  return worker.leases ?? worker.running ?? 0;
}

export function kinds(worker) {
  return (worker.kinds ?? []).map((kind) => kind.kind ?? kind);
}
