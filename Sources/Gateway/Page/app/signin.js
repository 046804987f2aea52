// The token is asked for once, tried, and kept for this tab.
import { h, replace } from "./dom.js";
import { call, Problem } from "./api.js";
import { session } from "./session.js";
import { show } from "./problem.js";

export function signIn({ signal }) {
  const token = h("textarea", {
    id: "token", rows: 4, required: true, spellcheck: "false", autocomplete: "off", autocapitalize: "off", placeholder: "eyJ…",
    onkeydown: (event) => { if (event.key === "Enter") { event.preventDefault(); form.requestSubmit(); } },
  });
  const said = h("div", { class: "said" });
  const enter = h("button", { class: "primary" }, "Sign in");
  const form = h("form", {
    async onsubmit(event) {
      event.preventDefault();
      const value = token.value.trim().replace(/^Bearer\s+/i, "");
      enter.disabled = true;
      try {
        await call("/v1/queues", { token: value, signal });
        session.begin(value);
      } catch (error) {
        // What may only submit cannot look, and is let in all the same.
        if (error instanceof Problem && error.status === 403) return session.begin(value);
        if (!(error instanceof Problem)) throw error;
        replace(said, show(error));
        enter.disabled = false;
        token.focus();
      }
    },
  }, h("label", { for: "token" }, "Token"), token, said, enter);

  return {
    title: "Sign in",
    element: h("section", { class: "signin" },
      h("h1", {}, "Sign in"),
      h("p", { class: "why", role: "status" }),
      form,
      h("p", { class: "hint" }, h("code", {}, "statex up"), " prints a token for development; ",
        h("code", {}, "statex token"), " makes others. It stays in this tab and is gone when you close it.")),
  };
}
