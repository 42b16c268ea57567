// The line that goes into a site's pages, with a button that copies it.

import { element } from "./elements.js";

export const makeCopy = () =>
  element("div", { class: "copy" }, element("pre", { tabindex: 0 }, element("code")), element("button", { type: "button" }, "Copy"));

export function listenToCopy(copy) {
  const button = copy.querySelector("button");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(copy.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2_000);
  });
}

export function drawSnippet(copy, snippet) {
  const code = copy.querySelector("code");
  if (code.textContent !== snippet) code.textContent = snippet;
}
