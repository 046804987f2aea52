// What a running job says of itself: how far it is, and the pieces of its output as they come.
import { clean, h, setText } from "./dom.js";
import { bytes, place } from "./format.js";

/** What the page keeps of one job's output; the result is always whole. */
const most = 100_000;

export class Output {
  constructor() {
    this.bar = h("progress", { max: 1, "aria-label": "Progress" });
    this.words = h("span", { class: "hint" });
    this.line = h("div", { class: "progress", hidden: true }, this.bar, this.words);
    this.note = h("p", { class: "hint", hidden: true });
    this.text = h("div", { class: "output text", tabindex: "0", role: "group", "aria-label": "Output so far", hidden: true });
    this.element = h("div", { class: "live" }, this.line, this.note, this.text);
    this.rest = "";
    this.kept = 0;
  }

  progress({ fraction, text }) {
    this.line.hidden = false;
    if (Number.isFinite(fraction)) this.bar.value = Math.min(Math.max(fraction, 0), 1);
    const part = Number.isFinite(fraction) ? `${Math.round(fraction * 100)} %` : "";
    setText(this.words, [part, clean(text).slice(0, 300)].filter(Boolean).join(" · "));
  }

  output({ text, begins, left_out: leftOut }) {
    if (begins) this.clear();
    if (leftOut > 0) {
      this.note.hidden = false;
      setText(this.note, `${bytes(leftOut)} before this are not shown; the result will be whole.`);
    }
    if (typeof text !== "string" || !text) return;
    this.text.hidden = false;
    const follows = this.text.scrollTop + this.text.clientHeight >= this.text.scrollHeight - 8;
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop();
    const tail = this.text.querySelector(".tail");
    tail?.remove();
    for (const line of lines) this.add(line);
    if (this.rest) this.text.append(h("span", { class: "tail" }, this.rest));
    while (this.kept > most && this.text.firstChild) {
      this.kept -= this.text.firstChild.textContent.length;
      this.text.firstChild.remove();
    }
    if (follows) this.text.scrollTop = this.text.scrollHeight;
  }

  /** A line of JSON with a text is a segment of a transcript; any other stands as it is. */
  add(line) {
    const segment = segmentOf(line);
    const shown = segment
      ? h("p", {}, Number.isFinite(segment.start) && h("span", { class: "place" }, place(segment.start)), segment.text)
      : h("p", {}, line);
    this.kept += shown.textContent.length;
    this.text.append(shown);
  }

  clear() {
    this.text.replaceChildren();
    this.rest = "";
    this.kept = 0;
    this.note.hidden = true;
  }

  /** The job has ended: its result stands in place of this. */
  end() {
    this.element.hidden = true;
  }

  begin() {
    this.element.hidden = false;
  }
}

function segmentOf(line) {
  if (!line.startsWith("{")) return null;
  try {
    const value = JSON.parse(line);
    return typeof value.text === "string" ? value : null;
  } catch {
    return null;
  }
}
