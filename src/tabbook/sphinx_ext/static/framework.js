// Remember the reader's framework from page to page; `?framework=jax` in the address goes first.
// The switch itself is radio buttons and CSS, and works without this.
"use strict";

(() => {
  const inputs = [...document.querySelectorAll(".framework-switch input")];
  const choose = (name) => {
    const input = inputs.find((candidate) => candidate.value === name);
    if (input) input.checked = true;
    return Boolean(input);
  };
  const asked = new URLSearchParams(location.search).get("framework");
  let remembered = null;
  try {
    remembered = localStorage.getItem("framework");
  } catch {
    // Storage may be forbidden; the page works without it.
  }
  if (!choose(asked)) choose(remembered);
  for (const input of inputs) {
    input.addEventListener("change", () => {
      try {
        localStorage.setItem("framework", input.value);
      } catch {
        // As above.
      }
    });
  }
})();
