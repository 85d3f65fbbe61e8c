// The report: topics on the left, what is said of one of them on the right.

const report = JSON.parse($("#data").textContent);
const state = { search: "", sign: "", group: "", order: "n", topic: null };

/** The signs of a topic in the group that is chosen. */
const signsOf = (topic) => (state.group === "" ? topic.signs : topic.groups[state.group.slice(1)] ?? [0, 0, 0]);
const counted = (topic) => (state.sign === "" ? sum(signsOf(topic)) : signsOf(topic)[Number(state.sign) + 1]);
const liking = (topic) => (signsOf(topic)[2] - signsOf(topic)[0]) / Math.max(1, sum(signsOf(topic)));
const holds = (text) => text.toLowerCase().includes(state.search);

function quotesOf(topic) {
  const named = holds(topic.name);
  return topic.quotes.filter((quote) =>
    (state.sign === "" || quote.sign === Number(state.sign)) &&
    (state.group === "" || quote.group === state.group.slice(1)) &&
    (named || holds(quote.text)));
}

function chosen() {
  const topics = report.topics.filter((topic) =>
    counted(topic) && (holds(topic.name) || topic.names.some(holds) || quotesOf(topic).length));
  const by = { n: counted, liked: liking, disliked: (topic) => -liking(topic) }[state.order];
  const rest = (topic) => topic.name === report.other;
  return topics.sort((a, b) => rest(a) - rest(b) || by(b) - by(a) || sum(b.signs) - sum(a.signs));
}

/** A quote with its clause marked, and the words that say it underlined. */
function quoteItem(quote) {
  const item = el("li");
  item.style.borderLeftColor = report.colours[quote.sign + 1];
  const edges = [...new Set([0, quote.text.length, ...quote.clause, ...quote.target, ...(quote.words ?? [])])]
    .filter((at) => at >= 0 && at <= quote.text.length).sort((a, b) => a - b);
  const within = (span, at) => span && at >= span[0] && at < span[1];
  if (quote.cut[0]) item.append("… ");
  for (let i = 0; i + 1 < edges.length; i++) {
    let part = document.createTextNode(quote.text.slice(edges[i], edges[i + 1]));
    if (within(quote.words, edges[i])) part = el("u", {}, part);
    if (within(quote.target, edges[i])) part = el("strong", {}, part);
    if (within(quote.clause, edges[i])) part = el("mark", {}, part);
    item.append(part);
  }
  if (quote.cut[1]) item.append(" …");
  const facts = [NAMES[quote.sign + 1], figure(quote.polarity, true), quote.group, quote.date].filter((fact) => fact);
  item.append(el("small", {}, facts.join(" · ")));
  return item;
}

function showTopic(topic) {
  $("#one").hidden = !topic;
  if (!topic) return;
  $("#name").textContent = topic.name;
  $("#names").textContent = topic.names.filter((name) => name !== topic.name).join(", ");
  $("#dates").replaceChildren(...signRows("By month", topic.dates, report.colours));
  $("#groups").replaceChildren(...signRows(`By ${report.by}`, topic.groups, report.colours));
  $("#quotes").replaceChildren(...quotesOf(topic).map(quoteItem));
}

function draw() {
  const topics = chosen();
  if (!topics.includes(state.topic)) state.topic = topics[0] ?? null;
  $("#topics").replaceChildren(...topics.map((topic) => {
    const button = el("button", { type: "button" },
      el("span", { className: "label" }, topic.name),
      el("span", { className: "number" }, figure(counted(topic))),
      signBar(signsOf(topic), report.colours),
      meanBar(topic, report.colours));
    button.setAttribute("aria-pressed", String(topic === state.topic));
    button.addEventListener("click", () => { state.topic = topic; draw(); });
    return el("li", {}, button);
  }));
  $("#none").hidden = topics.length > 0;
  showTopic(state.topic);
  say(`${topics.length} topics`);
}

/** A cell that no spreadsheet runs. */
function cell(value) {
  let text = String(value ?? "");
  if (/^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text))) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function table() {
  const rows = [["topic", "opinions", ...NAMES, "mean", "low", "high"]];
  for (const topic of chosen()) rows.push([topic.name, sum(signsOf(topic)), ...signsOf(topic), topic.mean, topic.low, topic.high]);
  return rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

function start() {
  const { rows, opinions, empty, silent, undated, rejected } = report.counts;
  const parts = [`${figure(opinions)} opinions in ${figure(rows)} texts`];
  if (silent) parts.push(`${figure(silent)} texts without an opinion`);
  if (empty) parts.push(`${figure(empty)} without text`);
  if (undated) parts.push(`${figure(undated)} without a date`);
  if (rejected) parts.push(`${figure(rejected)} rejected`);
  $("#counts").textContent = parts.join(", ");
  const values = new Set(report.topics.flatMap((topic) => Object.keys(topic.groups)));
  if (values.size) {
    $("#group").hidden = false;
    $("#group").setAttribute("aria-label", report.by);
    $("#group").append(el("option", { value: "" }, `every ${report.by}`), ...[...values].sort().map((value) => el("option", { value: `=${value}` }, value || "(empty)")));
  }
  for (const name of ["sign", "group", "order"]) {
    $(`#${name}`).addEventListener("change", (event) => { state[name] = event.target.value; draw(); });
  }
  $("#search").addEventListener("input", (event) => { state.search = event.target.value.toLowerCase(); draw(); });
  $("#save").addEventListener("click", () => { download(new Blob([table()], { type: "text/csv" }), "topics.csv"); toast("Saved topics.csv"); });
  $("#theme").addEventListener("click", () => {
    const root = document.documentElement;
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  });
  if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.dataset.theme = "dark";
  draw();
}

start();
