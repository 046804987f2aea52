// Filters of a list. They are part of the address, so that a link shows the same; changing one leaves the focus where it is.
import { h } from "./dom.js";

/**
 * @param fields name: `{title, options?}`; with options it is a choice, else a text
 * @param view the view's name in the address
 * @param query what the address says now
 * @param onChange is told when it says something else
 */
export function filters({ fields, view, query, onChange }, ...more) {
  const inputs = Object.entries(fields).map(([field, { title, options }]) => {
    const input = options
      ? h("select", { name: field }, options.map(([value, word]) => h("option", { value }, word)))
      : h("input", { name: field, maxlength: 128, placeholder: "any", autocomplete: "off", spellcheck: "false" });
    input.value = query.get(field) ?? "";
    return [field, input, title];
  });

  function values() {
    return Object.fromEntries(inputs.map(([field, input]) => [field, input.value.trim()]).filter(([, value]) => value));
  }

  function change(event) {
    event?.preventDefault();
    const address = addressOf(view, values());
    const same = address === location.hash;
    if (!same) history.pushState(null, "", address);
    // "Show" looks again in any case.
    if (!same || event?.type === "submit") onChange();
  }

  const clear = h("button", { type: "button", class: "quiet", onclick: () => { for (const [, input] of inputs) input.value = ""; change(); } }, "Clear");
  return {
    values,
    element: h("form", { class: "filters", onsubmit: change, onchange: change },
      inputs.map(([, input, title]) => h("label", {}, title, input)), h("button", {}, "Show"), clear, more),
  };
}

export function addressOf(view, filter) {
  const chosen = Object.entries(filter).filter(([, value]) => value);
  return `#/${view}${chosen.length ? `?${new URLSearchParams(chosen)}` : ""}`;
}
