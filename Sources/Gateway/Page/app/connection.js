// Asking again and again, quietly: nothing is asked while the tab is hidden, less and less while nobody answers, and at
// once when the tab or the network comes back.
import { Problem } from "./api.js";

const listeners = new Set();
const waiting = new Set();

export const connection = {
  /** null: it is there. Else why not, and when it is tried again (milliseconds since 1970). */
  lost: null,

  onChange(tell) { listeners.add(tell); },

  wentWell() { if (this.lost) this.become(null); },

  failed(problem, retryAt) { this.become({ problem, retryAt }); },

  become(lost) {
    this.lost = lost;
    for (const tell of listeners) tell(lost);
  },

  /** Ends every pause now. */
  tryNow() { for (const wake of [...waiting]) wake(); },
};

document.addEventListener("visibilitychange", () => { if (!document.hidden) connection.tryNow(); });
addEventListener("online", () => connection.tryNow());

/** Until the tab is seen, or `signal` is over. */
export function whenVisible(signal) {
  if (!document.hidden) return Promise.resolve();
  return pause(Infinity, signal);
}

/** Until the time is over, or somebody says `tryNow`, or `signal` is over. */
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const done = () => { clearTimeout(timer); waiting.delete(done); signal.removeEventListener("abort", done); resolve(); };
    const timer = milliseconds < Infinity ? setTimeout(done, milliseconds) : undefined;
    waiting.add(done);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}

/** Half a second, doubled with each failure, up to 15 s; half of it by chance, so that many pages do not return together. */
export function backoff(failures, retryAfter) {
  const most = Math.min(15_000, 500 * 2 ** Math.min(failures, 6));
  return Math.max(most * (0.5 + Math.random() / 2), (retryAfter ?? 0) * 1_000);
}

const strange = new Problem({
  status: -1, title: "This page does not understand the gateway",
  detail: "It may have been updated since the page was opened: load the page again.",
});

/**
 * Does `work` now and every so many seconds while the tab is seen, until `signal` is over or `work` returns false.
 * @param onProblem hears what does not pass by itself; the asking ends with it
 * @returns `soon`, which asks before its time, at most four times a second
 */
export function repeat(work, { every, signal, onProblem }) {
  let wake = () => {};
  let wanted = false;
  const run = async () => {
    let failures = 0;
    while (!signal.aborted) {
      await whenVisible(signal);
      if (signal.aborted) return;
      let wait = every * 1_000;
      wanted = false;
      try {
        if (await work(signal) === false) return;
        failures = 0;
        connection.wentWell();
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Problem)) {
          reportError(error);
          return onProblem?.(strange);
        }
        if (!error.passes) return onProblem?.(error);
        failures += 1;
        wait = backoff(failures, error.retryAfter);
        connection.failed(error, Date.now() + wait);
      }
      if (wanted && !failures) wait = 250; // Asked for while it asked.
      const cut = new AbortController();
      wake = () => { if (!failures) setTimeout(() => cut.abort(), 250); };
      await pause(wait, AbortSignal.any([signal, cut.signal]));
      wake = () => {};
    }
  };
  run();
  return { soon() { wanted = true; wake(); } };
}
