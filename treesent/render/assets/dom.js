// A few words for building the page's own controls.

const $ = (selector) => document.querySelector(selector);

/** An element with properties and children; a property that is not one of the element's becomes an attribute. */
function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const dot = (colour) => {
  const element = el("i");
  element.style.background = colour;
  return element;
};

/** Tell a screen reader. */
function say(text) {
  $("#live").textContent = text;
}

let toastTimer = 0;
function toast(text) {
  const element = $("#toast");
  element.textContent = text;
  element.hidden = false;
  say(text);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (element.hidden = true), 2200);
}

/** A number as people write it: no more digits than it deserves. */
function figure(value, signed = false) {
  if (value === null || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  const digits = Number.isInteger(value) && !signed ? 0 : size >= 1000 ? 0 : size >= 100 ? 1 : 2;
  const text = size.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return (value < 0 ? "−" : signed && value > 0 ? "+" : "") + text;
}

/** Hand the reader a file. */
function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const mix = (a, b, t) => a.map((value, i) => Math.round(value + (b[i] - value) * t));
const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;
