// Scales and palettes, for light and dark.

const THEMES = {
  light: {
    background: "#fbfaf7",
    ink: "#23262f",
    soft: "#6a6f7c",
    missing: "#dcdcd8",
    dim: "#dedcd5",
    accent: "#3457d5",
    sequential: ["#f3c7a5", "#e5735c", "#a43776", "#3d1a66"],
    diverging: ["#c8321f", "#e58a68", "#c3c4c8", "#6aa2d8", "#1458a8"],
  },
  dark: {
    background: "#11131a",
    ink: "#eceef4",
    soft: "#9aa0b0",
    missing: "#2d313c",
    dim: "#333948",
    accent: "#8ea6ff",
    sequential: ["#6750b4", "#bf4a93", "#f4795f", "#ffe2b0"],
    diverging: ["#ff6a4d", "#d08a76", "#5d6370", "#6fa8dc", "#55b8ff"],
  },
};

const CATEGORY = [
  "#4a76d0", "#ee8a2e", "#dd5058", "#3fa39b", "#64a650", "#cfa32b",
  "#a070c0", "#e487aa", "#9a7560", "#6f8199", "#93b12f", "#2b9fc9",
];

const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

/** A colour of a list of stops; t from 0 to 1. */
function ramp(stops, t) {
  const at = Math.max(0, Math.min(1, t)) * (stops.length - 1);
  const low = Math.min(stops.length - 2, Math.floor(at));
  return mix(channels(stops[low]), channels(stops[low + 1]), at - low);
}

function categoryColour(k, theme) {
  const round = Math.floor(k / CATEGORY.length);
  const towards = channels(theme === "dark" ? "#ffffff" : "#000000");
  return mix(channels(CATEGORY[k % CATEGORY.length]), towards, Math.min(0.6, 0.28 * round));
}

/** What a column needs for its colours: the ends of the scale, and a way from a value to 0 .. 1. */
function scaleOf(column) {
  if (column.categories.length) return null;
  const known = column.values.filter((value) => !Number.isNaN(value)).sort();
  if (!known.length) return { low: 0, high: 1, at: () => 0.5 };
  const quantile = (share) => known[Math.round(share * (known.length - 1))];
  if (column.scale === "diverging") {
    const high = Math.max(Math.abs(quantile(0.005)), Math.abs(quantile(0.995)), 1e-9);
    return { low: -high, high, at: (value) => (value / high + 1) / 2 };
  }
  if (column.scale === "log") {
    const [low, high] = [Math.max(known[0], 1e-9), known[known.length - 1]];
    const span = Math.log(high / low) || 1;
    return { low, high, at: (value) => 1 - Math.log(value / low) / span }; // rank 1 is the strongest
  }
  const [low, high] = [quantile(0.005), quantile(0.995)];
  return { low, high, at: (value) => (value - low) / (high - low || 1) };
}

/** The colour of every point as packed RGBA. */
function colours(column, scale, themeName, count) {
  const theme = THEMES[themeName];
  const out = new Uint32Array(count);
  if (!column) return out.fill(packed(channels(theme.accent)));
  const missing = packed(channels(theme.missing));
  if (column.categories.length) {
    const table = column.categories.map((_, k) => packed(categoryColour(k, themeName)));
    for (let i = 0; i < count; i++) out[i] = column.values[i] < 0 ? missing : table[column.values[i]];
    return out;
  }
  const stops = column.scale === "diverging" ? theme.diverging : theme.sequential;
  const table = Uint32Array.from({ length: 256 }, (_, t) => packed(ramp(stops, t / 255)));
  for (let i = 0; i < count; i++) {
    const value = column.values[i];
    out[i] = Number.isNaN(value) ? missing : table[Math.max(0, Math.min(255, Math.round(255 * scale.at(value))))];
  }
  return out;
}
