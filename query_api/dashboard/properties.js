// The choice of the property whose values a box ranks.

import { propertyDimension } from "./dimensions.js";
import { element, redraw } from "./elements.js";

export const makeChoice = (onChoose) =>
  element("select", { class: "property", "aria-label": "Property", hidden: true, onchange: ({ target }) => onChoose(target.value) });

// Shows the names that there are; answers the chosen one, or the first where that is not among them.
export function drawChoice(choice, names, chosen) {
  const name = names.includes(chosen) ? chosen : (names[0] ?? null);
  redraw(choice, ...names.map((each) => element("option", { value: each, selected: each === name }, each)));
  choice.hidden = !names.length;
  choice.value = name ?? "";
  return name;
}

export const tabOf = (tab, name) => ({ ...tab, title: name, dimension: propertyDimension(name) });
