// Text, recordings and files, submitted as one request; its results appear below as they come.
import { announce, h, name, reconcile, replace, setText } from "./dom.js";
import { post, Problem, upload } from "./api.js";
import { bytes, duration, idLink } from "./format.js";
import { show } from "./problem.js";
import { longest, Recorder } from "./recorder.js";
import { RequestProgress } from "./request.js";
import { session } from "./session.js";

const mostFiles = 100;
/** Of the requests below; a browser opens six connections to one host, and each stream holds one. */
const mostStreams = 2;

export function submit({ signal }) {
  const text = h("textarea", { id: "text", rows: 5, placeholder: "Write or paste" });
  const chosen = h("input", { type: "file", id: "files", multiple: true, class: "hidden-input", onchange: () => { add([...chosen.files]); chosen.value = ""; } });
  const list = h("ul", { class: "files" });
  const record = h("button", { type: "button", onclick: toggle }, "Record");
  const level = h("meter", { min: 0, max: 1, hidden: true, "aria-label": "Loudness" });
  const length = h("span", { class: "hint", role: "timer" });
  const priority = h("select", { id: "priority" }, Array.from({ length: 10 }, (_, at) => h("option", { value: at, selected: at === 5 }, at === 0 ? "0, first" : at === 5 ? "5, middle" : at === 9 ? "9, last" : String(at))));
  const tags = h("input", { id: "tags", placeholder: "meeting-42, minutes", autocomplete: "off" });
  const delay = h("input", { id: "delay", type: "number", min: 0, max: 31_536_000, placeholder: "at once" });
  const send = h("button", { class: "primary" }, "Submit");
  const stop = h("button", { type: "button", hidden: true, onclick: () => sending?.abort() }, "Stop");
  const bar = h("progress", { max: 1, hidden: true, "aria-label": "Upload" });
  const sent = h("span", { class: "hint" });
  const said = h("div");
  const results = h("section", { class: "submitted", "aria-label": "Submitted" }, h("p", { class: "empty" }, "Results appear here as they come."));
  const drop = h("div", {
    class: "drop", ondragover: (event) => { event.preventDefault(); drop.classList.add("over"); }, ondragleave: () => drop.classList.remove("over"),
    ondrop: (event) => { event.preventDefault(); drop.classList.remove("over"); add([...event.dataTransfer.files]); },
  }, chosen, h("label", { for: "files", class: "button" }, "Choose files"), h("span", { class: "hint" }, "or drop them here"), h("span", { class: "recording" }, length, level, record));

  const followed = [];
  let files = [];
  let sending = null;
  let recording = null;
  // The same submit again, after an error, is the same request; once anything changed it is another.
  let key = null;

  function changed() { key = null; }

  function add(more) {
    changed();
    const room = mostFiles - files.length;
    if (more.length > room) announce(`At most ${mostFiles} files at once; ${more.length - room} are left out.`);
    files = files.concat(more.slice(0, room).map((file) => ({ key: crypto.getRandomValues(new Uint32Array(2)).join("-"), file, kind: kindOf(file) })));
    draw();
  }

  function draw() {
    reconcile(list, files, (one) => one.key, (one) => {
      const kind = h("input", { value: one.kind, maxlength: 64, required: true, pattern: "[A-Za-z0-9._\\-]+", "aria-label": `Kind of ${one.file.name}`, list: "kinds", oninput: () => { one.kind = kind.value; changed(); } });
      return h("li", {}, h("strong", {}, name(one.file.name, 60)), h("span", { class: "hint" }, bytes(one.file.size)), kind,
        h("button", { type: "button", class: "small", "aria-label": `Take out ${one.file.name}`, onclick: () => { files = files.filter((other) => other !== one); changed(); draw(); } }, "Take out"));
    }, () => {});
  }

  async function toggle() {
    replace(said);
    if (recording) {
      const { recorder } = recording;
      recording = null;
      record.textContent = "Record";
      level.hidden = true;
      length.textContent = "";
      const at = new Date().toTimeString().slice(0, 8).replaceAll(":", "");
      add([new File([await recorder.end()], `recording-${at}.wav`, { type: "audio/wav" })]);
      return announce("The recording is ready to submit.");
    }
    record.disabled = true;
    try {
      const recorder = await Recorder.begin((seconds, loudness) => {
        level.value = loudness;
        setText(length, duration(Math.floor(seconds)));
        if (seconds >= longest && recording) toggle();
      });
      recording = { recorder };
      record.textContent = "Stop recording";
      level.hidden = false;
    } catch (error) {
      replace(said, show(new Problem({ status: -1, title: "The microphone is not there", detail: `${error.message} You can choose an audio file instead.` })));
    } finally {
      record.disabled = false;
    }
  }
  signal.addEventListener("abort", () => { recording?.recorder.end(); sending?.abort(); });

  async function order(event) {
    event.preventDefault();
    if (sending) return;
    sending = new AbortController();
    // Before anything is waited for: a second click is none, and nothing is written that would go with what was sent.
    const held = document.activeElement;
    entry.disabled = send.disabled = true;
    try {
      if (recording) await toggle();
      await give();
    } finally {
      sending = null;
      entry.disabled = send.disabled = false;
      stop.hidden = true;
      bar.hidden = true;
      sent.textContent = "";
      if (document.activeElement === document.body) held?.focus({ preventScroll: true });
    }
  }

  async function give() {
    const request = asked();
    if (request.jobs.length === 0) {
      replace(said, show(new Problem({ status: -1, title: "There is nothing to submit", detail: "Write a text, record something, or choose a file." })));
      entry.disabled = false;
      return text.focus();
    }
    replace(said);
    const those = files;
    stop.hidden = those.length === 0;
    key ??= `page-${[...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
    const headers = { "Idempotency-Key": key };
    try {
      const made = those.length
        ? await upload("/v1/requests", formOf(request), { headers, signal: sending.signal, onProgress: told })
        : await post("/v1/requests", request, { headers, signal: sending.signal });
      accepted(made, those);
    } catch (error) {
      if (error instanceof Problem) {
        replace(said, show(error));
      } else if (error.name !== "AbortError") throw error;
    }
  }

  /** The request as the API takes it. */
  function asked() {
    const common = {
      ...(priority.value !== "5" && { priority: Number(priority.value) }),
      ...(tags.value.trim() && { tags: tags.value.split(",").map((tag) => tag.trim()).filter(Boolean) }),
      ...(Number(delay.value) > 0 && { delay_seconds: Number(delay.value) }),
    };
    return {
      jobs: [
        ...(text.value.trim() ? [{ kind: "text", payload: text.value, ...common }] : []),
        ...files.map((one, index) => ({ kind: one.kind, file: `file${index}`, ...common })),
      ],
    };
  }

  function formOf(request) {
    const form = new FormData();
    form.append("request", new Blob([JSON.stringify(request)], { type: "application/json" }));
    files.forEach((one, index) => form.append(`file${index}`, one.file, one.file.name));
    return form;
  }

  function told(loaded, total) {
    bar.hidden = false;
    if (Number.isFinite(total)) bar.value = loaded / total;
    else bar.removeAttribute("value");
    setText(sent, Number.isFinite(total) ? `${bytes(loaded)} of ${bytes(total)}` : bytes(loaded));
  }

  /** @param those the files that went; one that was dropped or recorded meanwhile stays for the next request */
  function accepted(made, those) {
    announce("Submitted. Results appear below.");
    key = null;
    text.value = "";
    files = files.filter((one) => !those.includes(one));
    draw();
    const progress = new RequestProgress(made.id, signal);
    followed.push(progress);
    if (followed.length > mostStreams) followed.shift().unfollow();
    results.querySelector(":scope > .empty")?.remove();
    const shown = h("article", { class: "one" }, h("header", {}, h("h2", {}, "Request ", idLink("requests", made.id)), progress.stands, progress.live, progress.buttons), progress.element);
    results.prepend(shown);
    shown.scrollIntoView({ block: "nearest" });
  }

  const entry = h("fieldset", { class: "entry", "aria-label": "What is submitted" },
    h("label", { for: "text" }, "Text"), text, drop, list,
    h("details", {}, h("summary", {}, "Options"), h("div", { class: "options" },
      h("label", { for: "priority" }, "Priority", priority), h("label", { for: "tags" }, "Tags, with commas between", tags), h("label", { for: "delay" }, "Start after seconds", delay))),
    h("datalist", { id: "kinds" }, ["text", "audio", "file"].map((kind) => h("option", { value: kind }))));
  const form = h("form", { class: "submit", onsubmit: order, oninput: changed },
    entry, said, h("div", { class: "buttons" }, send, stop, bar, sent));

  return { title: "Submit", element: h("div", {}, h("h1", {}, "Submit"), session.allows("submit") ? h("div", { class: "submitting" }, form, results) : h("p", { class: "notice" }, "Your token may look, but not submit.")) };
}

/** As the gateway has it: by media type. */
function kindOf(file) {
  if (file.type.startsWith("audio/")) return "audio";
  return file.type.startsWith("text/") ? "text" : "file";
}
