// A failure as people read it: what happened, where, and what to do.
import { h } from "./dom.js";

const advice = {
  0: "Nothing is lost. It is tried again by itself.",
  403: "Sign in with a token that has the scope for it.",
  404: "Check the id. What is older than its retention has left, and what belongs to another tenant is not shown.",
  409: "Look at how it stands now; somebody may have been faster.",
  413: "Send less at once, or a smaller file. An operator can raise the limit (gateway_upload_limit).",
  415: "Choose another kind for this file.",
  422: "Correct it and try again.",
  429: "You ask faster than allowed. Wait a moment.",
  503: "The scheduler or the journal is away, or something is busy. Try again: nothing is done twice.",
};

export function show(problem) {
  const fields = problem.errors.filter((error) => error?.message);
  return h("section", { class: "problem", role: "alert" },
    h("h2", {}, problem.title || "It did not work"),
    h("p", {}, problem.detail),
    fields.length > 1 && h("ul", {}, fields.map((error) => h("li", {}, h("code", {}, String(error.field)), ` ${error.message}`))),
    h("p", { class: "hint" }, advice[problem.status] ?? (problem.status >= 500 ? "It is in the gateway’s log." : "")));
}
