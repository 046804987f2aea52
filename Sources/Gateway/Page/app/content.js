// A job's input and its result, each by what it is: a recording beside its transcript, text, JSON, a picture, or a file to
// save. Nothing of it is ever opened as a page.
import { h, replace } from "./dom.js";
import { call, path, Problem } from "./api.js";
import { bytes, place, state } from "./format.js";
import { show } from "./problem.js";

/** More is fetched only when somebody asks for it. */
const unasked = 24_000_000;
const shownText = 60_000;

/** Both panels of one job. `update(job)` when it changed. */
export class Content {
  constructor(signal) {
    this.signal = signal;
    this.input = h("div", { class: "content" });
    this.result = h("div", { class: "content" });
    this.audio = null;
    this.segments = [];
    this.addresses = [];
    signal.addEventListener("abort", () => { for (const address of this.addresses) URL.revokeObjectURL(address); });
  }

  update(job) {
    if (!this.asked) {
      this.asked = true;
      this.load(this.input, path.job(job.id, "/payload"), `input-${job.id}`, job, "The input is gone: its retention is over.");
    }
    const ended = job.ended_at ? job.state : null;
    if (ended === this.ended) return;
    this.ended = ended;
    if (job.state === "succeeded") this.load(this.result, path.job(job.id, "/result"), `result-${job.id}`, job, "It ended without a result.");
    else if (ended) replace(this.result, failure(job));
  }

  async load(panel, from, file, job, missing, asked = false) {
    replace(panel, h("p", { class: "empty" }, "Loading …"));
    try {
      const cut = new AbortController();
      const response = await call(from, { signal: AbortSignal.any([this.signal, cut.signal]) });
      const size = Number(response.headers.get("Content-Length") ?? 0);
      if (size > unasked && !asked) {
        cut.abort();
        return replace(panel, h("button", { type: "button", onclick: () => this.load(panel, from, file, job, missing, true) }, `Load ${bytes(size)}`));
      }
      const blob = await response.blob();
      replace(panel, await this.shown(blob, file, job));
    } catch (error) {
      if (this.signal.aborted) return;
      const problem = error instanceof Problem ? error : new Problem({ title: "It did not arrive whole", detail: "The connection was lost." });
      replace(panel, problem.status === 404 ? h("p", { class: "empty" }, missing)
        : [show(problem), h("button", { type: "button", onclick: () => this.load(panel, from, file, job, missing, asked) }, "Try again")]);
    }
  }

  async shown(blob, file, job) {
    if (blob.size === 0) return h("p", { class: "empty" }, "It is empty.");
    const head = new Uint8Array(await blob.slice(0, 16).arrayBuffer());
    const type = sniffed(head) ?? blob.type.split(";")[0];
    const save = this.saving(blob, file);
    if (type.startsWith("audio/")) return [this.player(blob, type), save];
    if (/^image\/(png|jpeg|webp|gif)$/.test(type)) return [h("img", { src: this.address(new Blob([blob], { type })), alt: "The picture of this job" }), save];
    if (blob.size > unasked) return save;
    const text = await decoded(blob);
    if (text === null) return [h("p", { class: "empty" }, `A file of ${bytes(blob.size)}${type ? `, ${type}` : ""}.`), save];
    const value = type === "application/json" || /^\s*[[{]/.test(text) ? parsed(text) : undefined;
    if (value && typeof value === "object" && !Array.isArray(value)) return [this.facts(value), save];
    return [textBlock(value === undefined ? text : JSON.stringify(value, null, 2), value !== undefined), save];
  }

  player(blob, type) {
    this.audio = h("audio", { controls: true, preload: "metadata", src: this.address(new Blob([blob], { type })), ontimeupdate: () => this.mark() });
    return h("div", { class: "player" }, this.audio);
  }

  /** The usual members of a result as people read them, whatever else there is as JSON. */
  facts(value) {
    const { text, segments, summary, key_phrases: phrases, embedding, ...rest } = value;
    const small = Object.entries(rest).map(([member, fact]) => [member, brief(fact)]).filter(([, fact]) => fact !== null && fact.length <= 80);
    const other = Object.fromEntries(Object.entries(rest).filter(([member]) => !small.some(([known]) => known === member)));
    const timed = Array.isArray(segments) && segments.length && segments.every((one) => Number.isFinite(one?.start) && typeof one?.text === "string");
    return [
      timed ? this.transcript(segments) : typeof text === "string" && textBlock(text || "(no text)"),
      Array.isArray(summary) && summary.length > 0 && [h("h4", {}, "Most central sentences"), h("ul", {}, summary.slice(0, 20).map((one) => h("li", { class: "text" }, String(one))))],
      Array.isArray(phrases) && phrases.length > 0 && [h("h4", {}, "Key phrases"), h("p", { class: "text" }, phrases.slice(0, 40).map((one) => (typeof one === "string" ? one : one?.phrase ?? one?.text ?? JSON.stringify(one))).join(" · "))],
      small.length > 0 && h("dl", { class: "facts" }, small.map(([member, fact]) => h("div", {}, h("dt", {}, member.replaceAll("_", " ")), h("dd", { class: "text" }, fact)))),
      Array.isArray(embedding) && h("p", { class: "hint" }, `Embedding: ${embedding.length} numbers, ${embedding.slice(0, 4).join(", ")} …`),
      Object.keys(other).length > 0 && h("details", {}, h("summary", {}, "Everything else"), textBlock(JSON.stringify(other, null, 2), true)),
    ];
  }

  transcript(segments) {
    this.segments = segments.slice(0, 5_000);
    this.buttons = this.segments.map((segment) => h("button", { type: "button", onclick: () => this.play(segment.start) },
      h("span", { class: "place" }, place(segment.start)), h("span", { class: "text" }, segment.text)));
    return h("ol", { class: "transcript", "aria-label": "Transcript: each part plays from its place" }, this.buttons.map((button) => h("li", {}, button)));
  }

  play(from) {
    if (!this.audio) return;
    this.audio.currentTime = from;
    this.audio.play().catch(() => { /* It cannot be decoded here, and says so itself. */ });
  }

  mark() {
    if (!this.buttons) return;
    const at = this.audio.currentTime;
    this.segments.forEach((segment, index) => {
      const current = at >= segment.start && at < (this.segments[index + 1]?.start ?? Infinity);
      if (current) this.buttons[index].setAttribute("aria-current", "true");
      else this.buttons[index].removeAttribute("aria-current");
    });
  }

  saving(blob, file) {
    // As bytes, so that a browser saves it and shows nothing of it.
    return h("p", { class: "save" }, h("a", { href: this.address(new Blob([blob], { type: "application/octet-stream" })), download: file }, "Save"),
      h("span", { class: "hint" }, ` ${bytes(blob.size)}`));
  }

  address(blob) {
    const address = URL.createObjectURL(blob);
    this.addresses.push(address);
    return address;
  }
}

/** A fact in few words: a value, or an object of a few values; null: it is more than that. */
function brief(fact) {
  if (["string", "number", "boolean"].includes(typeof fact)) return String(fact);
  const members = fact && !Array.isArray(fact) ? Object.entries(fact) : [];
  if (members.length === 0 || members.length > 4 || members.some(([, value]) => value === null || typeof value === "object")) return null;
  return members.map(([member, value]) => `${member} ${value}`).join(", ");
}

function failure(job) {
  return h("div", { class: "failure" }, h("p", {}, state(job.state), job.error_class && h("code", { class: "text" }, job.error_class)),
    job.error && h("pre", { class: "text" }, job.error));
}

function textBlock(text, code = false) {
  const block = h(code ? "pre" : "div", { class: "text block", tabindex: "0", role: "group", "aria-label": "Text" }, text.slice(0, shownText));
  if (text.length > shownText) block.append(h("p", { class: "hint" }, `… and ${(text.length - shownText).toLocaleString("en")} characters more: save it to read all.`));
  return block;
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}

async function decoded(blob) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await blob.arrayBuffer());
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}

/** What the first bytes say, where it matters: the gateway serves what it was given, and may not know its type. */
function sniffed(head) {
  const text = String.fromCharCode(...head);
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WAVE") return "audio/wav";
  if (text.startsWith("fLaC")) return "audio/flac";
  if (text.startsWith("OggS")) return "audio/ogg";
  if (text.startsWith("ID3") || (head[0] === 0xff && (head[1] & 0xe6) === 0xe2)) return "audio/mpeg";
  if (text.slice(4, 11) === "ftypM4A") return "audio/mp4";
  if (text.startsWith("\x89PNG")) return "image/png";
  if (text.startsWith("\xff\xd8\xff")) return "image/jpeg";
  return null;
}
