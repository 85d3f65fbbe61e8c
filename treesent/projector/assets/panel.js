// The card on the right: the point in focus, the answer to a formula, or a selection.

function showPanel(app) {
  const panel = $("#panel");
  const { focus } = app;
  panel.hidden = !focus;
  if (focus?.kind === "point") panel.replaceChildren(...pointCard(app, focus.index));
  if (focus?.kind === "formula") panel.replaceChildren(...formulaCard(app, focus));
  if (focus?.kind === "selection") panel.replaceChildren(...selectionCard(app, focus.indices));
  panel.scrollTop = 0;
}

function cardHead(app, title) {
  const close = el("button", { className: "close", type: "button", "aria-label": "Close", onclick: () => app.clear() }, "×");
  return el("header", {}, el("h2", { className: title.length > 24 ? "long" : "" }, title), close);
}

const act = (text, onclick) => el("button", { type: "button", onclick }, text);

function pointCard(app, i) {
  const facts = el("dl", { className: "facts" });
  for (const column of app.columns) {
    const value = app.valueOf(column, i);
    if (value === null) continue;
    const colour = column === app.column ? dot(app.cssColour(i)) : null;
    facts.append(el("dt", {}, column.name), el("dd", {}, colour, value));
  }
  const parts = [cardHead(app, app.names[i]), facts];
  if (app.hasAfter) parts.push(tableTabs(app));
  if (!app.tables[app.table]) return [...parts, el("p", { className: "lead" }, "Reading the vectors …")];
  if (!app.tables[app.table].lengths[i]) return [...parts, el("p", { className: "lead" }, "This vector is zero: it has no neighbours.")];
  const was = app.table === "after" ? new Set(app.neighboursOf(i, "before").map(({ index }) => index)) : null;
  parts.push(el("h3", {}, el("span", {}, "Nearest"), el("span", {}, "cosine")), nearList(app, app.near, was));
  const axis = act("As an axis", () => app.setAxes(app.names[i], ""));
  parts.push(el("div", { className: "acts" }, act("Select these", () => app.choose([i, ...app.near.map(({ index }) => index)])), axis));
  return parts;
}

function tableTabs(app) {
  const tab = (table) =>
    el("button", { type: "button", "aria-pressed": String(app.table === table), onclick: () => app.setTable(table) }, table);
  return el("div", { className: "tabs", role: "group", "aria-label": "Neighbours in" }, tab("before"), tab("after"));
}

function formulaCard(app, { text, terms, unknown }) {
  const head = cardHead(app, text);
  if (unknown.length) {
    const names = unknown.map((name) => `“${name}”`).join(", ");
    return [head, el("p", { className: "lead", role: "alert" }, `${names} is not on this map. Choose another, or check the spelling.`)];
  }
  const cosineOfTwo = terms.length === 2 && terms[0].weight < 0 !== terms[1].weight < 0;
  const acts = el("div", { className: "acts" });
  if (cosineOfTwo) acts.append(act("Show as an axis", () => app.setAxes(text, "")));
  acts.append(act("Select these", () => app.choose(app.near.map(({ index }) => index))));
  const title = el("h3", {}, el("span", {}, "Nearest to the sum"), el("span", {}, "cosine"));
  return [head, el("p", { className: "lead" }, "Sum of unit vectors; the words asked for are left out."), title, nearList(app, app.near), acts];
}

function nearList(app, near, was = null) {
  const list = el("ul", { className: "near" });
  near.forEach(({ index, cosine }, at) => {
    const bar = el("b");
    bar.style.width = `${Math.max(0, 100 * cosine)}%`;
    const button = el(
      "button",
      {
        type: "button",
        className: (at === app.step ? "on " : "") + (was && !was.has(index) ? "new" : ""),
        title: app.names[index],
        onclick: () => app.select(index, true),
        onmouseenter: () => app.setHover(index),
        onfocus: () => app.setHover(index),
        onmouseleave: () => app.setHover(-1),
      },
      el("span", {}, dot(app.cssColour(index)), app.names[index]),
      el("div", { className: "bar" }, bar),
      el("small", {}, figure(cosine)),
    );
    list.append(el("li", {}, button));
  });
  return list;
}

function selectionCard(app, indices) {
  const parts = [cardHead(app, `${indices.length.toLocaleString("en")} selected`)];
  if (!indices.length) return [...parts, el("p", { className: "lead" }, "Nothing lies in that shape.")];
  const facts = el("dl", { className: "facts" });
  for (const column of app.columns) {
    const text = summary(column, indices);
    if (text) facts.append(el("dt", {}, column.name), el("dd", {}, text));
  }
  const list = el("ul", { className: "near" });
  for (const index of indices.slice(0, 200)) {
    const row = { type: "button", onclick: () => app.select(index, false), onmouseenter: () => app.setHover(index), onmouseleave: () => app.setHover(-1) };
    const value = app.column ? app.valueOf(app.column, index) : "";
    const button = el("button", row, el("span", {}, dot(app.cssColour(index)), app.names[index]), el("small", {}, app.column?.categories.length ? "" : value));
    button.style.gridTemplateColumns = "1fr auto";
    list.append(el("li", {}, button));
  }
  const more = indices.length > 200 ? el("p", { className: "lead" }, `and ${(indices.length - 200).toLocaleString("en")} more, all in the CSV`) : null;
  const acts = el("div", { className: "acts" }, act("Save CSV", () => saveCsv(app, indices)), act("Save PNG", () => savePng(app)), act("Zoom to", () => app.frameTo(indices)));
  return [...parts, facts, acts, el("h3", {}, app.kind), list, more].filter(Boolean);
}

/** One line on a column of a selection: the mean, or the commonest category. */
function summary(column, indices) {
  if (column.categories.length) {
    const counts = new Map();
    for (const i of indices) if (column.values[i] >= 0) counts.set(column.values[i], (counts.get(column.values[i]) ?? 0) + 1);
    const [most, count] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
    return count ? `${column.categories[most]} (${Math.round((100 * count) / indices.length)}%)` : "";
  }
  const known = indices.map((i) => column.values[i]).filter((value) => !Number.isNaN(value));
  if (!known.length) return "";
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  return `mean ${figure(column.scale === "log" ? Math.round(mean) : mean, column.scale === "diverging")}`;
}
