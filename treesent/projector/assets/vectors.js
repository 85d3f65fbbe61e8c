// Cosines over all words, and formulas such as "king - man + woman".

/** Unit vectors as whole numbers, column by column; one step for all, so it drops out of a cosine. */
class Vectors {
  constructor(columns, count, component, scale) {
    this.columns = columns;
    this.count = count;
    this.component = component;
    this.scale = scale;
    this.width = Math.max(0, ...component) + 1;
    this.lengths = this.#lengths();
  }

  #lengths() {
    const out = new Float32Array(this.count);
    const row = new Float32Array(this.count);
    this.component.forEach((k, c) => {
      this.#add(row, c, this.scale[c]);
      if (this.component[c + 1] === k) return; // the low part of the same component follows
      for (let i = 0; i < this.count; i++) out[i] += row[i] * row[i];
      row.fill(0);
    });
    return out.map(Math.sqrt);
  }

  #add(out, c, weight) {
    const { columns, count } = this;
    const start = c * count;
    for (let i = 0; i < count; i++) out[i] += weight * columns[start + i];
  }

  /** The unit vector of point i. */
  unit(i) {
    const out = new Float32Array(this.width);
    this.component.forEach((k, c) => (out[k] += this.scale[c] * this.columns[c * this.count + i]));
    const length = this.lengths[i] || 1;
    return out.map((value) => value / length);
  }

  /** The cosine of a vector with every point; a point without a vector gets 0. */
  cosines(query) {
    const { columns, count } = this;
    const out = new Float32Array(count);
    const weights = this.component.map((k, c) => query[k] * this.scale[c]);
    let c = 0;
    for (; c + 4 <= weights.length; c += 4) {
      // Four columns a turn: the sums pass through memory a quarter as often.
      const [w0, w1, w2, w3] = weights.slice(c, c + 4);
      const [s0, s1, s2, s3] = [c, c + 1, c + 2, c + 3].map((column) => column * count);
      for (let i = 0; i < count; i++) {
        out[i] += w0 * columns[s0 + i] + w1 * columns[s1 + i] + w2 * columns[s2 + i] + w3 * columns[s3 + i];
      }
    }
    for (; c < weights.length; c++) this.#add(out, c, weights[c]);
    const length = Math.hypot(...query) || 1;
    for (let i = 0; i < this.count; i++) out[i] = this.lengths[i] ? out[i] / (length * this.lengths[i]) : 0;
    return out;
  }

  /** The k points nearest to a vector, as [{ index, cosine }], without those in `left`. */
  nearest(query, k, left = new Set()) {
    return largest(this.cosines(query), k, left).map(([index, cosine]) => ({ index, cosine }));
  }

  /** The sum of unit vectors, each with its weight. */
  sum(terms) {
    const out = new Float32Array(this.width);
    for (const { index, weight } of terms) this.unit(index).forEach((value, k) => (out[k] += weight * value));
    return out;
  }
}

/** The k largest of the values as [index, value], in order; equal values in the order of their index. */
function largest(values, k, left = new Set()) {
  const best = [];
  let least = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if ((best.length === k && values[i] <= least) || left.has(i) || Number.isNaN(values[i])) continue;
    let at = best.length;
    while (at && best[at - 1][1] < values[i]) at--;
    best.splice(at, 0, [i, values[i]]);
    if (best.length > k) best.pop();
    least = best[best.length - 1][1];
  }
  return best;
}

const OPERATOR = /(?:^|\s)([+\-−–])(?:\s|$)/;

/**
 * Read a formula: names, each with an optional factor ("2 * good"), joined by plus and minus.
 * @returns {{terms: {index: number, weight: number}[], unknown: string[]}}
 */
function parseFormula(text, find) {
  const read = (parts) => {
    const terms = [];
    const unknown = [];
    let sign = 1;
    for (const part of parts.map((piece) => piece.trim()).filter(Boolean)) {
      if (/^[+\-−–]$/.test(part)) {
        sign = part === "+" ? 1 : -1;
        continue;
      }
      const factor = find(part) < 0 ? part.match(/^([\d.]+)\s*[*×]\s*(.+)$/) : null;
      const name = factor ? factor[2] : part;
      const index = find(name);
      if (index < 0) unknown.push(name);
      else terms.push({ index, weight: sign * (factor ? Number(factor[1]) : 1) });
      sign = 1;
    }
    return { terms, unknown };
  };
  if (find(text.trim()) >= 0) return read([text]);
  const spaced = read(text.split(OPERATOR));
  if (!spaced.unknown.length || !/[+\-]/.test(text)) return spaced;
  const tight = read(text.split(/([+\-])/)); // "king-man+woman", where no word has that hyphen
  return tight.unknown.length ? spaced : tight;
}

const isFormula = (text) => OPERATOR.test(text.trim()) || /\S[+]\S/.test(text);
