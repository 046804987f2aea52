// Server-sent events. Read with `fetch`, not EventSource: a ticket is good for one connection, so each reconnect is a new
// one, and only `fetch` can send Last-Event-ID with it and read the problem when it is refused.
import { call, post, Problem } from "./api.js";
import { backoff, pause, whenVisible } from "./connection.js";
import { setText } from "./dom.js";

/** The gateway sends a heartbeat more often; what is silent for longer is dead. */
const silence = 60_000;

/**
 * Follows `path` until `signal` is over, closed while the tab is hidden and resumed where it was.
 * @param onEvent (name, value) of each event
 * @param indicator an element that says whether it is live
 */
export async function follow(path, { signal, onEvent, indicator }) {
  try {
    await followed(path, signal, onEvent, (word) => {
      indicator.className = `streaming ${word}`;
      setText(indicator, word);
    });
  } finally {
    indicator.className = "streaming";
    setText(indicator, "");
  }
}

/** @param onState is told `live`, `connecting` or `paused` */
async function followed(path, signal, onEvent, onState) {
  let last = "";
  let failures = 0;
  while (!signal.aborted) {
    if (document.hidden) onState("paused");
    await whenVisible(signal);
    if (signal.aborted) return;
    onState("connecting");
    const closing = new AbortController();
    const close = () => closing.abort();
    const hide = () => { if (document.hidden) close(); };
    document.addEventListener("visibilitychange", hide);
    signal.addEventListener("abort", close);
    let ticket, retryAfter;
    try {
      ({ ticket } = await post("/v1/tickets", {}, { signal: closing.signal }));
      const response = await call(`${path}?ticket=${encodeURIComponent(ticket)}`, {
        token: null, signal: closing.signal, headers: { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) },
      });
      onState("live");
      failures = 0;
      await read(response.body, closing, (event) => {
        if (event.id !== undefined) last = event.id;
        if (event.value !== undefined) onEvent(event.name, event.value);
      });
    } catch (error) {
      if (error instanceof Problem) {
        // A ticket may come too late; another one is in time.
        if (!error.passes && !(error.status === 401 && ticket)) return;
        retryAfter = error.retryAfter;
      }
    } finally {
      document.removeEventListener("visibilitychange", hide);
      signal.removeEventListener("abort", close);
      close();
    }
    if (signal.aborted || document.hidden) continue;
    onState("connecting");
    failures += 1;
    await pause(backoff(failures, retryAfter), signal);
  }
}

async function read(body, closing, onEvent) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new Parser(onEvent);
  for (;;) {
    const watch = setTimeout(() => closing.abort(), silence);
    const { done, value } = await reader.read().finally(() => clearTimeout(watch));
    if (done) return;
    parser.feed(value);
  }
}

/** Of the stream, lines; of the lines, events. */
class Parser {
  constructor(onEvent) {
    this.onEvent = onEvent;
    this.rest = "";
    this.begin();
  }

  begin() {
    this.name = "message";
    this.data = [];
    this.id = undefined;
  }

  feed(text) {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop();
    for (const line of lines) this.line(line);
  }

  line(line) {
    if (line === "") {
      if (this.data.length) this.tell();
      // An id alone says how far the stream is.
      else if (this.id !== undefined) this.onEvent({ id: this.id });
      return this.begin();
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.name = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id") this.id = value;
  }

  tell() {
    let value;
    try { value = JSON.parse(this.data.join("\n")); } catch { return; }
    // A fault of a view is no fault of the stream.
    try { this.onEvent({ name: this.name, value, id: this.id }); } catch (error) { reportError(error); }
  }
}
