// Bars of how many opinions are negative, neutral and positive, and the mean with its interval.

const NAMES = ["negative", "neutral", "positive"];
const sum = (signs) => signs[0] + signs[1] + signs[2];

/** The parts of a whole, as wide as they are many. */
function signBar(signs, colours) {
  const bar = el("span", { className: "bar", role: "img" });
  bar.setAttribute("aria-label", signs.map((n, i) => `${n} ${NAMES[i]}`).join(", "));
  bar.title = bar.getAttribute("aria-label");
  signs.forEach((n, i) => {
    const part = el("i");
    part.style.width = `${(100 * n) / Math.max(1, sum(signs))}%`;
    part.style.background = colours[i];
    bar.append(part);
  });
  return bar;
}

/** The mean polarity from -1 to 1, with the interval that it lies in. */
function meanBar(topic, colours) {
  const at = (value) => 50 + 50 * value;
  const line = el("i");
  line.style.left = `${at(topic.low)}%`;
  line.style.width = `${at(topic.high) - at(topic.low)}%`;
  const point = el("b");
  point.style.left = `${at(topic.mean)}%`;
  point.style.background = colours[topic.low > 0 ? 2 : topic.high < 0 ? 0 : 1];
  const bar = el("span", { className: "mean", role: "img" }, line, point);
  bar.title = `mean ${figure(topic.mean, true)}, 95% between ${figure(topic.low, true)} and ${figure(topic.high, true)}`;
  bar.setAttribute("aria-label", bar.title);
  return bar;
}

/** A line for each key of a table of signs. */
function signRows(title, table, colours) {
  const keys = Object.keys(table);
  if (!keys.length) return [];
  const rows = keys.map((key) =>
    el("div", { className: "row" }, el("span", { className: "label" }, key || "(empty)"), signBar(table[key], colours), el("span", { className: "number" }, figure(sum(table[key])))));
  return [el("h3", {}, title), ...rows];
}
