// Questions before something is ordered.
import { h, replace } from "./dom.js";
import { Problem } from "./api.js";
import { show } from "./problem.js";

/**
 * Asks, and does it when the answer is yes. The dialog stays while it is done, and shows a problem.
 * @param look fills the dialog first (a dry run): returns `{body, ready}`; without `ready` there is nothing to do
 * @param act does it; what it returns is shown in place of what was there, as what `look` does: then it is not all done
 */
export function ask({ title, action, danger = false, look, act }) {
  const heading = h("h2", { id: "dialog-title" }, title);
  const body = h("div", { class: "body", "aria-live": "polite" });
  const cancel = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const yes = h("button", { type: "submit", class: danger ? "danger" : "primary", disabled: true }, action);
  const form = h("form", { method: "dialog", onsubmit: submit }, heading, body, h("div", { class: "buttons" }, cancel, yes));
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", onclose: close }, form);
  const before = document.activeElement;

  async function submit(event) {
    event.preventDefault();
    yes.disabled = true;
    let left;
    const isDone = await attempt(async () => { left = await act(body); });
    if (left) fill(left);
    else if (isDone) dialog.close();
    else yes.disabled = false;
  }

  /** The browser gives the focus back, unless what had it has gone with the order. */
  function close() {
    dialog.remove();
    if (!before.isConnected) document.getElementById("main").focus();
  }

  async function attempt(work) {
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      body.querySelector(".problem")?.remove();
      body.append(show(error));
      return false;
    }
  }

  function fill(seen) {
    replace(body, seen.body);
    yes.disabled = !seen.ready;
    if (seen.action) yes.textContent = seen.action;
  }

  document.body.append(dialog);
  dialog.showModal();
  attempt(async () => {
    const seen = await look();
    fill(seen);
    if (seen.ready && !danger) (body.querySelector("input, select") ?? yes).focus();
  });
}
