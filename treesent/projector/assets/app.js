// The map: what is shown, and what a reader can do with it. Drawing is in frame.js.

const NEAR = 12;

class App extends Frames {
  constructor(header, names, order, layouts, columns) {
    super();
    Object.assign(this, { header, names, layouts, columns, kind: header.kind, count: names.length });
    this.canvas = $("#map");
    // Pixels are written by hand: a canvas in main memory spares a copy to the graphics card and back.
    this.context = this.canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    this.lower = names.map((name) => name.toLowerCase());
    this.index = new Map(names.map((name, i) => [name, i]));
    this.fileName = header.title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "map";
    this.hasAfter = Boolean(header.after);
    this.camera = new Camera();
    this.labels = new Labels(this.context, names, order);
    this.views = layouts.flatMap((layout) =>
      layout.dimensions === 3
        ? [
            { key: layout.key, title: `${layout.title} 2D`, layout, solid: false, note: layout.note },
            { key: `${layout.key}3d`, title: `${layout.title} 3D`, layout, solid: true, note: layout.note },
          ]
        : [{ key: layout.key, title: layout.title, layout, solid: false, note: layout.note }],
    );
    this.views.push({ key: "axes", title: "Axes", layout: null, solid: false, note: "Axes by formula" });
    this.view = this.views.find(({ key }) => /tsne|umap/.test(key)) ?? this.views[0];
    this.tables = {};
    Object.assign(this, { table: "before", tool: "pan", focus: null, near: [], step: -1, hover: -1, phase: 0 });
    Object.assign(this, { hidden: new Set(), axes: { x: "", y: "" }, bright: null, brightList: [], lasso: null, drawing: "" });
    this.shown = new Uint8Array(this.count).fill(1);
    this.places = new Float32Array(3 * this.count);
    this.movers = [];
    const moved = columns.find(({ name }) => name === "moved");
    if (this.hasAfter && moved) this.movers = largest(moved.values, 240).map(([i]) => i);
  }

  // -- words -------------------------------------------------------------------------------------------

  find(name) {
    return this.index.get(name) ?? this.index.get(name.toLowerCase()) ?? -1;
  }

  valueOf(column, i) {
    const value = column.values[i];
    if (column.categories.length) return value < 0 ? null : column.categories[value];
    return Number.isNaN(value) ? null : figure(value, column.scale === "diverging");
  }

  valueText(i) {
    return this.column ? this.valueOf(this.column, i) ?? "" : "";
  }

  cssColour(i) {
    const value = this.colour[i];
    return css([value & 255, (value >> 8) & 255, (value >> 16) & 255]);
  }

  neighboursOf(i, table = this.table, k = NEAR) {
    const vectors = this.tables[table];
    return vectors?.lengths[i] ? vectors.nearest(vectors.unit(i), k, new Set([i])) : [];
  }

  answer(text, k = NEAR, table = this.table) {
    const { terms, unknown } = parseFormula(text, (name) => this.find(name));
    const vectors = this.tables[table];
    const left = new Set(terms.map(({ index }) => index));
    const near = vectors && terms.length && !unknown.length ? vectors.nearest(vectors.sum(terms), k, left) : [];
    return { terms, unknown, near };
  }

  // -- focus -------------------------------------------------------------------------------------------

  #focus(focus, near, bright) {
    Object.assign(this, { focus, near, step: -1 });
    this.brightList = bright;
    this.bright = null;
    if (bright.length) {
      this.bright = new Uint8Array(this.count);
      for (const i of bright) this.bright[i] = 1;
    }
    showPanel(this);
    this.invalidate("points");
  }

  select(i, fly) {
    if (i < 0) return;
    const near = this.neighboursOf(i);
    this.#focus({ kind: "point", index: i }, near, [i, ...near.map(({ index }) => index)]);
    const nearest = near.slice(0, 3).map(({ index }) => this.names[index]).join(", ");
    say(`${this.names[i]}${this.valueText(i) && `, ${this.column.name} ${this.valueText(i)}`}. Nearest: ${nearest}`);
    if (fly) this.flyTo(i);
  }

  ask(text, fly = true) {
    if (!text.trim()) return;
    const { terms, unknown, near } = this.answer(text);
    const bright = [...terms, ...near].map(({ index }) => index);
    this.#focus({ kind: "formula", text: text.trim(), terms, unknown }, near, unknown.length ? [] : bright);
    if (near.length) say(`${text}: ${near.slice(0, 3).map(({ index }) => this.names[index]).join(", ")}`);
    if (fly && near.length) this.flyTo(near[0].index);
  }

  search(text) {
    const i = this.find(text.trim());
    if (i >= 0) return this.select(i, true);
    if (isFormula(text)) return this.ask(text);
    const [first] = complete(this.lower, text, 1);
    if (first !== undefined) return this.select(first, true);
    if (!text.trim()) return;
    this.#focus(null, [], []);
    toast(`“${text.trim()}” is not on this map`);
  }

  choose(indices) {
    this.#focus({ kind: "selection", indices }, [], indices);
    say(`${indices.length} selected`);
  }

  chooseInside(path) {
    const { xs, ys } = this.screen;
    const found = [];
    for (let i = 0; i < this.count; i++) if (this.shown[i] && inside(path, xs[i], ys[i])) found.push(i);
    this.choose(found);
    this.setTool("pan");
  }

  clear() {
    this.#focus(null, [], []);
    $("#query").value = "";
  }

  /** Step through the nearest by keyboard. */
  walk(step) {
    if (!this.near.length) return;
    this.step = (this.step + step + this.near.length + (this.step < 0 && step < 0 ? 1 : 0)) % this.near.length;
    const { index, cosine } = this.near[this.step];
    this.setHover(index);
    $("#panel").querySelectorAll(".near button").forEach((button, at) => button.classList.toggle("on", at === this.step));
    say(`${this.names[index]}, cosine ${figure(cosine)}`);
  }

  setHover(i) {
    if (i === this.hover) return;
    this.hover = i;
    this.invalidate("overlay");
  }

  /** The point under a place of the screen. */
  under(x, y, radius) {
    if (this.gridStale) {
      const { xs, ys } = this.screen;
      this.grid.build(xs, ys, this.shown, this.camera.width, this.camera.height);
      this.gridStale = false;
    }
    return this.grid.nearest(x, y, radius);
  }

  // -- what is shown -----------------------------------------------------------------------------------

  setTheme(name) {
    this.theme = name;
    document.documentElement.dataset.theme = name;
    this.setColour(this.column?.name ?? "", true);
    showPanel(this);
  }

  setColour(name, same = false) {
    const column = this.columns.find((other) => other.name === name) ?? null;
    if (!same && column !== this.column) this.hidden.clear();
    this.column = column;
    this.scale = column && scaleOf(column);
    this.colour = colours(column, this.scale, this.theme, this.count);
    this.strongLast = column?.scale === "diverging" ? this.#byStrength() : null;
    showLegend(this);
    this.#filter();
    showPanel(this);
  }

  /** On a scale about zero the strong colours are painted over the neutral ones. */
  #byStrength() {
    const strength = Float32Array.from(this.column.values, (value) => Math.abs(2 * this.scale.at(value) - 1) || 0);
    return byDepth(strength, new Int32Array(this.count));
  }

  toggle(k) {
    if (!this.hidden.delete(k)) this.hidden.add(k);
    this.#filter();
  }

  only(k) {
    this.setHidden(this.column.categories.map((_, other) => other).filter((other) => other !== k));
  }

  setHidden(list) {
    this.hidden = new Set(list);
    this.#filter();
  }

  #filter() {
    this.shown.fill(1);
    if (this.hidden.size) for (let i = 0; i < this.count; i++) if (this.hidden.has(this.column.values[i])) this.shown[i] = 0;
    markGroups(this);
    this.invalidate("points");
  }

  setTool(tool) {
    this.tool = tool;
    this.canvas.classList.toggle("draw", tool !== "pan");
    for (const button of $("#tools").querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  }

  setTable(table) {
    this.table = table;
    this.setPhase(table === "after" ? 1 : 0, true);
    if (this.focus?.kind === "point") this.select(this.focus.index, false);
    if (this.focus?.kind === "formula") this.ask(this.focus.text, false);
    $("#panel [aria-pressed='true']")?.focus(); // the card was made anew
  }

  setView(key, instant = false) {
    const view = this.views.find((other) => other.key === key);
    if (!view) return;
    if (key === "axes" && !view.layout) {
      const [x, y] = this.axes.x ? [this.axes.x, this.axes.y] : this.#suggestedAxes();
      if (x) return this.setAxes(x, y, instant);
    }
    this.view = view;
    showViews(this);
    if (view.layout) this.flyToView(instant);
    say(`Layout ${view.title}`);
  }

  #suggestedAxes() {
    const pairs = ["good - bad", "he - she", "day - night"];
    const known = pairs.filter((text) => !parseFormula(text, (name) => this.find(name)).unknown.length);
    return [known[0] ?? (this.kind === "phrases" ? this.names[0] : ""), ""];
  }

  /** Place every point by its cosine with one formula, or with two. */
  setAxes(x, y, instant = false) {
    const view = this.views[this.views.length - 1];
    const read = (text) => parseFormula(text, (name) => this.find(name));
    const parts = [read(x), read(y)];
    const unknown = parts.flatMap((part) => part.unknown);
    const fault = unknown.length ? `not on this map: ${unknown.join(", ")}` : parts[0].terms.length || !x ? "" : "write a formula, such as good - bad";
    $("#axis-x").value = x;
    $("#axis-y").value = y;
    $("#axis-fault").textContent = fault;
    this.view = view;
    showViews(this);
    if (fault || !this.tables.before || !x) return;
    this.axes = { x, y };
    const spots = (vectors) => axisPlaces(this, vectors, parts);
    const places = spots(this.tables.before);
    const after = this.tables.after ? spots(this.tables.after) : null;
    const frame = frameOf(places, 1);
    Object.assign(frame, { y: frame.y + 0.08 * frame.halfY, halfX: 1.12 * frame.halfX, halfY: 1.1 * frame.halfY }); // room for names
    view.layout = { key: "axes", dimensions: 2, places, after, frame };
    this.flyToView(instant);
    say(`Axes: ${x}${y && `, and ${y}`}`);
  }

  setPhase(phase, smooth = false) {
    this.phase = Math.max(0, Math.min(1, phase));
    $("#time").value = this.phase;
    if (!this.view.layout) return;
    if (smooth) this.flyToView(false, false);
    else {
      this.stopFlight();
      this.places.set(this.targetPlaces());
      this.invalidate("points");
    }
  }

  /** From before to after, or back. */
  play() {
    const [from, to] = this.phase > 0.5 ? [1, 0] : [0, 1];
    const begun = performance.now();
    const step = (now) => {
      const t = this.still ? 1 : Math.min(1, (now - begun) / 1800);
      this.setPhase(from + (to - from) * ease(t));
      if (t < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  async copyLink() {
    this.writeLink();
    try {
      await navigator.clipboard.writeText(location.href);
      toast("Link copied");
    } catch {
      toast("The link is in the address bar");
    }
  }

  writeLink() {
    history.replaceState(null, "", `#${(this.link = stateText(this))}`);
  }
}

/** Places by cosine; without a second formula, frequent words stand above rare ones, and phrases are spread. */
function axisPlaces(app, vectors, [first, second]) {
  const across = vectors.cosines(vectors.sum(first.terms));
  const up = second.terms.length
    ? vectors.cosines(vectors.sum(second.terms))
    : Float32Array.from({ length: app.count }, (_, i) => 0.5 - (app.kind === "words" ? (i / app.count) ** 0.4 : (i * 0.618034) % 1));
  const { width, height } = app.camera;
  const largestOf = (values) => Math.max(1e-6, values.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  const [sx, sy] = [Math.max(1, (0.9 * width) / height) / largestOf(across), 1 / largestOf(up)];
  const places = new Float32Array(3 * app.count);
  for (let i = 0; i < app.count; i++) {
    places[3 * i] = across[i] * sx;
    places[3 * i + 1] = up[i] * sy;
  }
  return places;
}
