// The filters as chips, each of which can be taken away, and the editor that adds one.

import { DIMENSIONS, titleOf, wordsOf } from "./dimensions.js";
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

// current: answers the filters; choose(filters): shows others.
export function listenToFilters(current, choose) {
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
  };
  at("filter-dimension").append(...Object.keys(DIMENSIONS).map((name) => new Option(titleOf(name), name)));
  at("filter-operator").append(...Object.entries(OPERATORS).map(([name, words]) => new Option(words, name)));
  at("add-filter").addEventListener("click", () => open(editor.hidden));
  editor.addEventListener("keydown", (event) => event.key === "Escape" && open(false));
  editor.addEventListener("submit", (event) => {
    event.preventDefault();
    const value = at("filter-value").value.trim();
    if (!value) return at("filter-value").focus();
    choose(added(current(), [at("filter-operator").value, at("filter-dimension").value, [value]]));
    at("filter-value").value = "";
    open(false);
  });
}
