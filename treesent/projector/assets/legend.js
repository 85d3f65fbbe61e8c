// The card that says what the colours mean.

function makeLegend(app) {
  const select = $("#colour");
  select.append(el("option", { value: "" }, "none"), ...app.columns.map(({ name }) => el("option", { value: name }, name)));
  select.addEventListener("change", () => app.setColour(select.value));
}

function showLegend(app) {
  const { column } = app;
  $("#colour").value = column?.name ?? "";
  const box = $("#scale");
  if (!column) return box.replaceChildren();
  if (column.categories.length) return box.replaceChildren(categoryList(app, column));
  const canvas = el("canvas", { role: "img", "aria-label": `How many ${app.kind} have which ${column.name}` });
  const signed = column.scale === "diverging";
  const [low, high] = column.scale === "log" ? [app.scale.high, app.scale.low] : [app.scale.low, app.scale.high];
  const ends = el("div", { className: "ends" }, el("span", {}, figure(low, signed)), signed ? el("span", {}, "0") : null, el("span", {}, figure(high, signed)));
  box.replaceChildren(canvas, ends);
  drawHistogram(app, canvas);
}

/** Say which groups are shown; the buttons stay, and with them the keyboard's focus. */
function markGroups(app) {
  $("#scale").querySelectorAll("li button").forEach((button, k) => button.setAttribute("aria-pressed", String(!app.hidden.has(k))));
}

function drawHistogram(app, canvas) {
  const ratio = devicePixelRatio || 1;
  const bins = new Float32Array(37);
  for (const value of app.column.values) {
    if (!Number.isNaN(value)) bins[Math.round(36 * Math.max(0, Math.min(1, app.scale.at(value))))]++;
  }
  const most = Math.max(...bins) || 1;
  const [width, height] = [(canvas.clientWidth || 220) * ratio, 46 * ratio];
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const theme = THEMES[app.theme];
  const stops = app.column.scale === "diverging" ? theme.diverging : theme.sequential;
  const step = width / bins.length;
  bins.forEach((count, at) => {
    const tall = count ? Math.max(3 * ratio, (height - 7 * ratio) * Math.sqrt(count / most)) : 0;
    context.fillStyle = css(ramp(stops, at / (bins.length - 1)));
    context.fillRect(at * step, height - 4 * ratio, step + 1, 4 * ratio);
    context.beginPath();
    context.roundRect(at * step + ratio / 2, height - 6 * ratio - tall, step - ratio, tall, 1.5 * ratio);
    context.fill();
  });
}

function categoryList(app, column) {
  const counts = new Int32Array(column.categories.length);
  for (const value of column.values) if (value >= 0) counts[value]++;
  const rows = column.categories.map((name, k) => {
    const shown = !app.hidden.has(k);
    const button = el(
      "button",
      { type: "button", "aria-pressed": String(shown), title: `${name}: click hides or shows, double click shows it alone`, onclick: () => app.toggle(k), ondblclick: () => app.only(k) },
      dot(css(categoryColour(k, app.theme))),
      el("span", {}, name),
      el("small", {}, counts[k].toLocaleString("en")),
    );
    return el("li", {}, button);
  });
  return el("ul", {}, ...rows);
}
