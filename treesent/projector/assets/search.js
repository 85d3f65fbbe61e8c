// The search box: completion by prefix, then by any part; a formula is asked as it stands.

const SUGGESTIONS = 8;

/** Points whose name starts with the text, then those that hold it, each in the order of the table. */
function complete(lower, text, most = SUGGESTIONS) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  const [exact, starts, holds] = [[], [], []];
  for (let i = 0; i < lower.length && starts.length < most; i++) {
    const at = lower[i].indexOf(wanted);
    if (at < 0) continue;
    if (at === 0) (lower[i].length === wanted.length ? exact : starts).push(i);
    else if (holds.length < most) holds.push(i);
  }
  const found = lower.indexOf(wanted);
  if (found >= 0 && !exact.includes(found)) exact.push(found);
  return [...exact, ...starts, ...holds].slice(0, most);
}

/** The part of a formula that is being typed, and what stands before it. */
function lastTerm(text) {
  const match = text.match(/^(.*(?:^|\s)[+\-−–]\s+)(.*)$/s);
  return match ? [match[1], match[2]] : ["", text];
}

function makeSearch(app) {
  const input = $("#query");
  const list = $("#options");
  let options = [];
  let at = -1;
  const close = () => {
    list.hidden = true;
    at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const mark = (next) => {
    at = next;
    [...list.children].forEach((child, k) => child.setAttribute("aria-selected", String(k === at)));
    if (at < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", `option-${at}`);
    list.children[at].scrollIntoView({ block: "nearest" });
  };
  const go = (index) => {
    const [before] = lastTerm(input.value);
    if (before) {
      input.value = before + app.names[index];
      app.ask(input.value);
    } else {
      input.value = app.names[index];
      app.select(index, true);
    }
    close();
  };
  const open = () => {
    const [, term] = lastTerm(input.value);
    options = complete(app.lower, term);
    const wanted = term.trim().toLowerCase();
    list.replaceChildren(
      ...options.map((index, k) => {
        const name = app.names[index];
        const from = app.lower[index].length === name.length ? app.lower[index].indexOf(wanted) : -1;
        const text = from < 0 ? el("span", {}, name) : el("span", {}, name.slice(0, from), el("mark", {}, name.slice(from, from + wanted.length)), name.slice(from + wanted.length));
        const note = app.column && !app.column.categories.length ? app.valueOf(app.column, index) ?? "" : "";
        return el("li", { role: "option", id: `option-${k}`, "aria-selected": "false", onmousedown: (event) => (event.preventDefault(), go(index)) }, text, el("small", {}, note));
      }),
    );
    list.hidden = !options.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    mark(-1);
  };
  input.placeholder = app.kind === "words" ? "Search, or king - man + woman" : "Search the phrases";
  input.addEventListener("input", open);
  input.addEventListener("focus", () => (input.select(), input.value && open()));
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) open();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (options.length) mark((at + step + options.length + (at < 0 && step < 0 ? 1 : 0)) % options.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (at >= 0) return go(options[at]);
      app.search(input.value);
      close();
    } else if (event.key === "Escape") {
      if (list.hidden) input.blur();
      close();
      event.stopPropagation();
    } else if (event.key === "Tab" && at >= 0) go(options[at]);
  });
}
