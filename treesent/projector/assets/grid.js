// Points in cells of the screen: what is under the pointer, without asking every point.

class ScreenGrid {
  constructor(cell = 20) {
    this.cell = cell;
  }

  /** Sort the points into cells; those with `shown[i] === 0` or off the screen are left out. */
  build(xs, ys, shown, width, height) {
    const columns = Math.ceil(width / this.cell) + 1;
    const rows = Math.ceil(height / this.cell) + 1;
    const start = new Int32Array(columns * rows + 1);
    const cells = new Int32Array(xs.length).fill(-1);
    for (let i = 0; i < xs.length; i++) {
      if (!shown[i] || !(xs[i] >= 0 && xs[i] < width && ys[i] >= 0 && ys[i] < height)) continue;
      cells[i] = Math.floor(ys[i] / this.cell) * columns + Math.floor(xs[i] / this.cell);
      start[cells[i] + 1]++;
    }
    for (let c = 1; c < start.length; c++) start[c] += start[c - 1];
    const next = start.slice();
    const items = new Int32Array(start[start.length - 1]);
    for (let i = 0; i < xs.length; i++) if (cells[i] >= 0) items[next[cells[i]]++] = i;
    Object.assign(this, { columns, rows, start, items, xs, ys });
    return this;
  }

  /** The point nearest to a place on the screen, -1 where none is within the radius. */
  nearest(x, y, radius) {
    const reach = Math.ceil(radius / this.cell);
    const column = Math.floor(x / this.cell);
    const row = Math.floor(y / this.cell);
    let best = -1;
    let least = radius * radius;
    for (let r = Math.max(0, row - reach); r <= Math.min(this.rows - 1, row + reach); r++) {
      for (let c = Math.max(0, column - reach); c <= Math.min(this.columns - 1, column + reach); c++) {
        const cell = r * this.columns + c;
        for (let at = this.start[cell]; at < this.start[cell + 1]; at++) {
          const i = this.items[at];
          const far = (this.xs[i] - x) ** 2 + (this.ys[i] - y) ** 2;
          if (far < least) [best, least] = [i, far];
        }
      }
    }
    return best;
  }
}

/** Whether a place lies in a polygon [[x, y], ...], by the even-odd rule. */
function inside(polygon, x, y) {
  let within = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) within = !within;
  }
  return within;
}
