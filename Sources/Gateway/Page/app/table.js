// Tables that are drawn anew every other second without losing focus or selection.
import { h, reconcile, replace } from "./dom.js";

/**
 * @param columns `{title, cell(item), class?, fixed?}`; `fixed`: the cell of an item never changes
 * @returns the element, and `show(items)`
 */
export function table({ caption, columns, keyOf, empty, rowClass = () => "" }) {
  const body = h("tbody");
  const nothing = h("p", { class: "empty" }, empty);
  const element = h("div", { class: "table" },
    h("table", {},
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: column.class }, column.title)))),
      body),
    nothing);

  const create = () => h("tr", {}, columns.map((column) => h(column.head ? "th" : "td", { class: column.class, scope: column.head && "row" })));
  const update = (row, item) => {
    const said = JSON.stringify(item);
    if (row.said === said && !row.ticks) return;
    const first = row.said === undefined;
    row.said = said;
    const extra = rowClass(item);
    if (row.className !== extra) row.className = extra;
    columns.forEach((column, index) => {
      if (column.ticks) row.ticks = true;
      if (first || !column.fixed) replace(row.cells[index], column.cell(item));
    });
  };
  return {
    element,
    show(items) {
      nothing.hidden = items.length > 0;
      element.firstChild.hidden = items.length === 0;
      reconcile(body, items, keyOf, create, update);
    },
  };
}
