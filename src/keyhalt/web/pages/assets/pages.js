// Makes the pages nicer; each of them is complete without it.
"use strict";

// The id in the text of a key, or "" (docs/key-text.md). Its secret part goes no further than here.
function keyIdIn(text) {
  const parts = text.trim().split(".");
  if (parts.length !== 3) return "";
  try {
    const names = atob(parts[1]).split("|");
    return names.length === 3 && /^[1-9][0-9]{0,9}$/.test(names[2]) ? names[2] : "";
  } catch {
    return "";
  }
}

for (const form of document.querySelectorAll("[data-search]")) {
  form.addEventListener("submit", () => {
    const box = form.elements.q;
    const id = keyIdIn(box.value);
    if (id) box.value = "#" + id;
  });
}

// Two clicks make one key.
for (const form of document.querySelectorAll("[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-once]")) delete form.dataset.sent;
});

const page = document.querySelector("[data-value]");
if (page) {
  let copied = false;
  const said = page.querySelector("[data-said]");
  for (const button of page.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
        copied = true;
        said.textContent = "Copied.";
      } catch {
        said.textContent = "The browser did not let us copy. Select the text, and copy it yourself.";
      }
    });
  }
  page.addEventListener("copy", () => { copied = true; });
  page.querySelector("[data-done]").addEventListener("click", () => { copied = true; });
  window.addEventListener("beforeunload", (event) => { if (!copied) event.preventDefault(); });
  // Whoever comes back finds nothing, also where a browser kept the page as it was.
  window.addEventListener("pagehide", () => {
    for (const text of page.querySelectorAll("textarea")) text.value = "";
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}
