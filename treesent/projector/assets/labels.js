// Names on the map: as many as fit without touching, the important ones first.

const FONT = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Inter, Roboto, "Noto Sans", sans-serif';
const BUCKET = 64;
const PART = [150, 84]; // one name for each part of the screen comes before a second for any

/** Rectangles that must not overlap, in buckets of the screen. */
class Occupied {
  constructor() {
    this.buckets = new Map();
  }

  #cells(rect, visit) {
    for (let r = Math.floor(rect.y / BUCKET); r <= Math.floor((rect.y + rect.h) / BUCKET); r++) {
      for (let c = Math.floor(rect.x / BUCKET); c <= Math.floor((rect.x + rect.w) / BUCKET); c++) {
        if (visit(r * 4096 + c)) return true;
      }
    }
    return false;
  }

  free(rect) {
    const touches = (other) =>
      rect.x < other.x + other.w && other.x < rect.x + rect.w && rect.y < other.y + other.h && other.y < rect.y + rect.h;
    return !this.#cells(rect, (cell) => this.buckets.get(cell)?.some(touches));
  }

  take(rect) {
    this.#cells(rect, (cell) => {
      const list = this.buckets.get(cell);
      if (list) list.push(rect);
      else this.buckets.set(cell, [rect]);
      return false;
    });
  }
}

class Labels {
  constructor(context, names, order) {
    Object.assign(this, { context, names, order, widths: new Map(), shades: new Map(), placed: [], regions: [] });
  }

  text(i) {
    const name = this.names[i];
    return name.length > 44 ? `${name.slice(0, 42)}…` : name;
  }

  width(i, size, weight) {
    const key = i * 2 + (weight > 500);
    let width = this.widths.get(key);
    if (width === undefined) {
      this.context.font = `${weight} 16px ${FONT}`;
      this.widths.set(key, (width = this.context.measureText(this.text(i)).width / 16));
    }
    return width * size;
  }

  /**
   * Choose the labels of a view.
   * @param scene { xs, ys, depths, shown, bright, width, height, radius, solid, most, cards }, where cards are the
   *   rectangles that lie over the map
   * @param first points that are named whatever else is there, [{ i, size, weight }]
   * @param regions names of groups of points, [{ text, x, y, colour }], the largest first
   */
  place(scene, first, regions = []) {
    const occupied = new Occupied();
    for (const card of scene.cards ?? []) occupied.take(card);
    this.#placeRegions(scene, regions, occupied);
    const out = [];
    const done = new Set();
    const put = (i, size, weight, force) => {
      const x = scene.xs[i];
      const y = scene.ys[i];
      if (!(x > -60 && x < scene.width + 60 && y > -20 && y < scene.height + 20)) return false;
      const w = this.width(i, size, weight);
      const gap = force === "always" ? scene.radius + 11 : scene.radius + (scene.bright ? 7 : 4);
      const h = size * 1.1;
      const spots = [
        [x + gap, y - h / 2],
        [x - gap - w, y - h / 2],
        [x - w / 2, y - gap - h],
        [x - w / 2, y + gap],
      ];
      const whole = ([left, top]) => left >= 0 && top >= 0 && left + w <= scene.width && top + h <= scene.height;
      for (const [left, top] of force === "always" ? [spots.find(whole) ?? spots[0]] : spots) {
        const rect = { x: left - 5, y: top - 2, w: w + 10, h: h + 4 };
        if (force !== "always" && !(whole([left, top]) && occupied.free(rect))) continue;
        occupied.take(rect);
        done.add(i);
        out.push({ i, dx: left - x, dy: top + h / 2 - y, size, weight });
        return true;
      }
      return false;
    };
    for (const { i, size, weight, always } of first) if (!done.has(i)) put(i, size, weight, always && "always");
    // First the best name of each part of the screen, so that no part stays mute; then whatever still fits.
    const across = Math.ceil(scene.width / PART[0]) + 1;
    const tries = new Uint8Array(across * (Math.ceil(scene.height / PART[1]) + 1));
    for (const pass of [0, 1]) {
      let tried = 0;
      for (let at = 0; at < this.order.length && out.length < scene.most && tried < 3000; at++) {
        const i = this.order[at];
        const x = scene.xs[i];
        const y = scene.ys[i];
        if (!(x >= 0 && x < scene.width && y >= 0 && y < scene.height) || !scene.shown[i]) continue;
        if ((scene.bright && !scene.bright[i]) || (scene.solid && scene.depths[i] < 0.05) || done.has(i)) continue;
        const part = Math.floor(y / PART[1]) * across + Math.floor(x / PART[0]);
        if (pass === 0 && tries[part] > 4) continue;
        tried++;
        const placed = put(i, at < this.order.length / 100 && out.length < scene.most / 4 ? 14 : 12, 450);
        if (pass === 0) tries[part] = placed ? 5 : tries[part] + 1;
      }
    }
    this.placed = out;
  }

  #placeRegions(scene, regions, occupied) {
    this.regions = [];
    for (const region of regions) {
      this.context.font = `650 14px ${FONT}`;
      const w = this.context.measureText(region.text).width;
      for (const shift of [0, -22, 22, -44, 44]) {
        const rect = { x: region.x - w / 2 - 6, y: region.y + shift - 11, w: w + 12, h: 22 };
        if (rect.x < 0 || rect.x + rect.w > scene.width || !occupied.free(rect)) continue;
        occupied.take(rect);
        this.regions.push({ ...region, y: region.y + shift });
        break;
      }
    }
  }

  #drawRegions(theme) {
    const { context } = this;
    context.font = `650 14px ${FONT}`;
    context.textAlign = "center";
    context.lineWidth = 5;
    for (const { text, x, y, colour } of this.regions) {
      context.strokeText(text, x, y);
      context.fillStyle = css(mix(colour, channels(theme.ink), 0.3));
      context.fillText(text, x, y);
    }
    context.textAlign = "left";
  }

  /** Draw the chosen labels, fading in what is new; true while a fade goes on. */
  draw(scene, elapsed) {
    const { context, shades } = this;
    const theme = THEMES[scene.theme];
    const step = scene.still ? 1 : Math.min(1, elapsed / 160);
    let moving = false;
    const now = new Set();
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.strokeStyle = theme.background;
    this.#drawRegions(theme);
    context.lineWidth = 3.5;
    context.fillStyle = theme.ink;
    let font = "";
    for (const { i, dx, dy, size, weight } of this.placed) {
      const shade = Math.min(1, (shades.get(i) ?? 0) + step);
      shades.set(i, shade);
      now.add(i);
      if (shade < 1) moving = true;
      const next = `${weight} ${size}px ${FONT}`;
      if (next !== font) context.font = font = next;
      context.globalAlpha = shade * (weight > 500 ? 1 : 0.86);
      context.strokeText(this.text(i), scene.xs[i] + dx, scene.ys[i] + dy);
      context.fillText(this.text(i), scene.xs[i] + dx, scene.ys[i] + dy);
    }
    context.globalAlpha = 1;
    for (const i of shades.keys()) if (!now.has(i)) shades.delete(i);
    return moving;
  }
}

/** The rectangles of the cards that lie over an element, in its coordinates. */
function cardsOver(element) {
  const { left, top } = element.getBoundingClientRect();
  return [...document.querySelectorAll(".card:not([hidden])")].map((card) => {
    const { x, y, width, height } = card.getBoundingClientRect();
    return { x: x - left, y: y - top, w: width, h: height };
  });
}
