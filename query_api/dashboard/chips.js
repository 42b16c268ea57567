// The filters as chips, each of which can be taken away, and the editor that adds one.

import { DIMENSIONS, propertyDimension, titleOf, wordsOf } from "./dimensions.js";
import { element, redraw, unseen } from "./elements.js";
import { OPERATORS, added, without } from "./filters.js";

const at = (id) => document.getElementById(id);

export function drawChips(filters) {
  redraw(at("chips"), ...filters.map(chip), filters.length > 1 ? clearAll() : null);
}

function chip([operator, dimension, values], index) {
  const words = values.map((value) => wordsOf(dimension, value)).join(" or ");
  return element(
    "li",
    { class: "chip" },
    element("span", { class: "chip-words", title: words }, `${titleOf(dimension)} ${OPERATORS[operator]} `, element("b", {}, words)),
    element(
      "button",
      { type: "button", "data-index": index },
      unseen(`Remove the filter ${titleOf(dimension)} ${OPERATORS[operator]} ${words}`),
      element("span", { "aria-hidden": "true" }, "×"),
    ),
  );
}

const clearAll = () =>
  element("li", {}, element("button", { type: "button", class: "link", "data-index": "all" }, "Clear all"));

// current: answers the filters; choose(filters): shows others; suggest(dimension): answers its values of now;
// properties(): answers the names of those that there are.
export function listenToFilters(current, choose, suggest, properties) {
  let known = new Map(); // from the words of a value to the value
  at("chips").addEventListener("click", ({ target }) => {
    const index = target.closest("button")?.dataset.index;
    if (index === undefined) return;
    choose(index === "all" ? [] : without(current(), Number(index)));
    at("add-filter").focus();
  });
  const editor = at("filter-editor");
  const open = (isOpen) => {
    editor.hidden = !isOpen;
    at("add-filter").setAttribute("aria-expanded", String(isOpen));
    (isOpen ? at("filter-dimension") : at("add-filter")).focus();
    if (!isOpen) return;
    const names = [...Object.keys(DIMENSIONS), ...properties().map(propertyDimension)];
    redraw(at("filter-dimension"), ...names.map((name) => element("option", { value: name }, titleOf(name))));
    offer();
  };
  const offer = async () => {
    const dimension = at("filter-dimension").value;
    known = new Map();
    redraw(at("filter-values"));
    const values = await suggest(dimension).catch(() => []);
    if (dimension !== at("filter-dimension").value) return;
    known = new Map(values.map((value) => [wordsOf(dimension, value), value]));
    redraw(at("filter-values"), ...[...known.keys()].map((words) => element("option", { value: words })));
  };
  at("filter-dimension").addEventListener("change", offer);
  at("filter-operator").append(...Object.entries(OPERATORS).map(([name, words]) => new Option(words, name)));
  at("add-filter").addEventListener("click", () => open(editor.hidden));
  editor.addEventListener("keydown", (event) => event.key === "Escape" && open(false));
  editor.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = at("filter-value").value.trim();
    if (!words) return at("filter-value").focus();
    const operator = at("filter-operator").value;
    const value = operator.startsWith("is") && known.has(words) ? known.get(words) : words;
    choose(added(current(), [operator, at("filter-dimension").value, [value]]));
    at("filter-value").value = "";
    open(false);
  });
}
