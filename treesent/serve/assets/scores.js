// Scores as colours, bars and words.

const ends = document.body.dataset;

/** The colour of a polarity, as the picture of the tree has it. */
function colourOf(polarity) {
  const end = channels(polarity > 0 ? ends.positive : ends.negative);
  return css(mix(channels(ends.neutral), end, Math.min(Math.abs(polarity ?? 0), 1) ** 0.7));
}

function chip(label, polarity) {
  const element = el("span", { className: "chip", textContent: label });
  element.style.background = colourOf(polarity);
  return element;
}

/** Label, a bar from the middle, and the number. */
function scoreLine({ label, polarity }) {
  const bar = el("b");
  const size = Math.min(Math.abs(polarity ?? 0), 1) * 50;
  bar.style.cssText = `left:${polarity < 0 ? 50 - size : 50}%;width:${size}%;background:${colourOf(polarity)}`;
  const number = polarity === null ? "" : figure(polarity, true);
  return el("div", { className: "score" }, chip(label, polarity), el("div", { className: "scale" }, bar), number);
}

/** The probability of each class, the most positive first. */
function bars(labels, probs, best) {
  const list = el("dl", { className: "bars" });
  for (let k = labels.length - 1; k >= 0; k--) {
    const fill = el("b");
    const place = labels.length > 1 ? (2 * k) / (labels.length - 1) - 1 : 0;
    fill.style.cssText = `width:${100 * probs[k]}%;background:${colourOf(place)}`;
    const className = labels[k] === best ? "best" : "";
    list.append(
      el("dt", { textContent: labels[k], className }),
      el("div", { className: "bar" }, fill),
      el("dd", { textContent: `${Math.round(100 * probs[k])}%`, className }),
    );
  }
  return list;
}
