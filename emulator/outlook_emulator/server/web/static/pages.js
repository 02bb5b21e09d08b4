// What htmx and HTML cannot do. Every page works without it, though not live.
"use strict";

(() => {
  const isEdited = (field) => {
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.tagName === "SELECT") {
      const chosen = [...field.options].find((option) => option.defaultSelected) ?? field.options[0];
      return Boolean(chosen) && field.value !== chosen.value;
    }
    return field.value !== field.defaultValue;
  };

  // A morph keeps what the user has opened, and what the user has typed or chosen.
  if (window.Idiomorph) {
    const { callbacks } = window.Idiomorph.defaults;
    callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS");
    callbacks.beforeNodeMorphed = (before) =>
      !(before instanceof Element && before.matches("input, textarea, select") && isEdited(before));
  }

  // A page follows its sandbox while it can be seen: a browser keeps few connections to a server, and a stream in each
  // hidden tab would use them up.
  const { live } = document.body.dataset;
  let stream = null;
  const follow = () => {
    if (!live || document.visibilityState === "hidden") {
      stream?.close();
      stream = null;
    } else if (!stream) {
      stream = new EventSource(live);
      stream.addEventListener("changed", () => window.htmx?.trigger("#main", "changed"));
      stream.addEventListener("error", () => {
        // The browser connects again by itself, unless the server refused.
        if (stream?.readyState !== EventSource.CLOSED) return;
        stream = null;
        setTimeout(follow, 3000);
      });
    }
  };
  document.addEventListener("visibilitychange", follow);
  follow();

  // Buttons to copy are hidden where they cannot work.
  const showCopyButtons = () => {
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("button[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  });

  // A file that is dropped onto the page is sent with the form that asks for one.
  const dropForm = () => document.querySelector("form[data-drop]");
  document.addEventListener("dragover", (event) => {
    if (!dropForm() || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    const form = dropForm();
    if (!form || !event.dataTransfer.files.length) return;
    event.preventDefault();
    document.body.classList.remove("dropping");
    form.querySelector("input[type=file]").files = event.dataTransfer.files;
    form.requestSubmit();
  });

  // Keys: / goes to the search, j and k to the next and previous row, Escape closes menus.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of document.querySelectorAll("details.menu[open], details.confirm[open]")) {
        menu.open = false;
        if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (event.key === "/") {
      const search = document.querySelector("main input[type=search], main .filters input");
      if (search) { event.preventDefault(); search.focus(); }
    } else if (event.key === "j" || event.key === "k") {
      const links = [...document.querySelectorAll("main tbody tr a:first-of-type, main [data-rows] > * a:first-of-type")];
      if (!links.length) return;
      const at = links.indexOf(document.activeElement);
      links[Math.min(Math.max(at + (event.key === "j" ? 1 : -1), 0), links.length - 1)].focus();
    }
  });

  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  showCopyButtons();
  document.addEventListener("htmx:afterSettle", showCopyButtons);
})();
