// Frames: flights from one picture to another, and what is drawn when.

const ease = (t) => (t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2);
const FLIGHT = 850;

/** What a map needs to draw itself; the map is in app.js. */
class Frames {
  /** Size the canvas to the window. */
  resize() {
    const { camera, canvas } = this;
    const [width, height] = [window.innerWidth, window.innerHeight];
    this.ratio = Math.min(2, devicePixelRatio || 1);
    canvas.width = Math.round(width * this.ratio);
    canvas.height = Math.round(height * this.ratio);
    const zoom = this.image ? camera.zoom : 1;
    Object.assign(camera, { width, height });
    camera.insets = width <= 720 ? { top: 150, right: 16, bottom: 120, left: 16 } : { top: 76, right: 64, bottom: 30, left: 40 };
    this.image = this.context.createImageData(canvas.width, canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    if (this.view.layout) camera.scale = camera.fitted(camera.frame, camera.turn).scale * zoom;
    this.invalidate("points");
  }

  /** Ask for a frame: "points" paints all again, "overlay" only what stands on top of them. */
  invalidate(what) {
    if (what === "points") this.stale = true;
    if (this.asked) return;
    this.asked = requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    this.asked = 0;
    const elapsed = Math.min(50, now - (this.last ?? now));
    this.last = now;
    if (this.flight) this.fly(now);
    const fading = this.draw(elapsed);
    if (this.flight || fading) this.invalidate(this.flight ? "points" : "overlay");
    else this.last = undefined;
    clearTimeout(this.linkTimer);
    this.linkTimer = setTimeout(() => this.writeLink(), 400);
  }

  targetPlaces() {
    if (!this.view.layout) return this.places; // the axes before their first formula
    const { places, after } = this.view.layout;
    const { phase } = this;
    if (!after || !phase) return places;
    return places.map((value, at) => value + (after[at] - value) * phase);
  }

  /** Pass to the layout of the view, every point on its way. */
  flyToView(instant, refit = true) {
    const { camera } = this;
    const { layout, solid } = this.view;
    layout.frame ??= frameOf(layout.after ? Float32Array.from([...layout.places, ...layout.after]) : layout.places);
    const turn = solid ? 1 : 0;
    const goal = refit ? camera.fitted(layout.frame, turn) : { x: camera.x, y: camera.y, scale: camera.scale, turn };
    this.#begin(goal, this.targetPlaces(), layout.frame, instant);
  }

  fit() {
    this.#begin(this.camera.fitted(this.camera.frame, this.view.solid ? 1 : 0));
  }

  /** Bring a point to the middle of the free part of the screen, near enough to see its neighbours apart. */
  flyTo(i) {
    const { camera, screen } = this;
    if (this.flight?.places) this.land();
    camera.project(this.places, screen.xs, screen.ys, screen.depths);
    const far = (index) => Math.hypot(screen.xs[index] - screen.xs[i], screen.ys[index] - screen.ys[i]);
    const around = this.near.map(({ index }) => far(index)).sort((a, b) => a - b);
    const reach = around[Math.floor(0.6 * around.length)] || camera.width;
    const wide = camera.width > 720;
    const zoom = (0.3 * Math.min(camera.width, camera.height)) / reach;
    const least = camera.fitted(camera.frame, camera.turn > 0.5 ? 1 : 0).scale;
    const scale = Math.max(least, Math.min(14 * least, camera.scale * zoom));
    const [mx, my] = camera.middle;
    const x = camera.x + (screen.xs[i] - mx) / camera.scale + (wide ? 120 / scale : 0);
    const y = camera.y - (screen.ys[i] - my) / camera.scale - (wide ? 0 : (0.15 * camera.height) / scale);
    this.#begin({ x, y, scale, turn: camera.turn });
  }

  frameTo(indices) {
    const some = new Float32Array(3 * indices.length);
    indices.forEach((i, at) => some.set(this.places.subarray(3 * i, 3 * i + 3), 3 * at));
    const frame = frameOf(some);
    const floor = this.camera.frame.half / 60;
    for (const side of ["half", "halfX", "halfY"]) frame[side] = Math.max(floor, frame[side] * 1.15);
    this.#begin(this.camera.fitted(frame, this.view.solid ? 1 : 0));
  }

  zoomBy(factor, x, y) {
    const { camera } = this;
    const before = { x: camera.x, y: camera.y, scale: camera.scale };
    camera.zoomAt(factor, x ?? camera.middle[0], y ?? camera.middle[1]);
    const goal = { x: camera.x, y: camera.y, scale: camera.scale, turn: camera.turn };
    Object.assign(camera, before);
    this.#begin(goal, null, null, false, 220);
  }

  #begin(goal, places = null, frame = null, instant = false, time = FLIGHT) {
    const { camera } = this;
    const from = { x: camera.x, y: camera.y, scale: camera.scale, turn: camera.turn, frame: { ...camera.frame } };
    const start = places && !instant ? this.places.slice() : null;
    this.flight = { goal, places, frame, from, start, time, begun: performance.now() };
    if (instant || this.still) this.land();
    this.invalidate("points");
  }

  fly(now) {
    const { goal, places, frame, from, start, time, begun } = this.flight;
    const t = Math.min(1, Math.max(0, (now - begun) / time));
    if (t >= 1) return this.land();
    const { camera } = this;
    const e = ease(t);
    const blend = (a, b) => a + (b - a) * e;
    camera.x = blend(from.x, goal.x);
    camera.y = blend(from.y, goal.y);
    camera.scale = from.scale * (goal.scale / from.scale) ** e;
    camera.turn = blend(from.turn, goal.turn);
    if (frame) for (const side of Object.keys(frame)) camera.frame[side] = blend(from.frame[side], frame[side]);
    if (places) for (let at = 0; at < places.length; at++) this.places[at] = start[at] + (places[at] - start[at]) * e;
  }

  land() {
    const { goal, places, frame } = this.flight;
    Object.assign(this.camera, goal);
    if (frame) this.camera.frame = { ...frame };
    if (places) this.places.set(places);
    this.flight = null;
  }

  /** End a flight where it is, or at its goal where points are under way. */
  stopFlight() {
    if (this.flight?.places) this.land();
    this.flight = null;
  }

  scene() {
    const { camera, count } = this;
    const area = (camera.width * camera.height) / count;
    const zoom = Math.max(0.5, camera.zoom);
    const radius = Math.min(7, Math.max(1.25, Math.min(4.6, 0.2 * Math.sqrt(area))) * zoom ** 0.3);
    return {
      xs: this.screen.xs, ys: this.screen.ys, depths: this.screen.depths, order: camera.turn > 0.02 ? this.order : this.strongLast,
      colour: this.colour, shown: this.shown, bright: this.bright, theme: this.theme, ratio: this.ratio,
      width: camera.width, height: camera.height, radius, alpha: zoom > 3 || count < 3000 ? 0.92 : 0.8,
      solid: camera.turn > 0.02, still: this.still, most: Math.min(150, Math.round((camera.width * camera.height) / 11000)),
    };
  }

  /** The screen places of another phase, for the ways between two tables. */
  projected(phase) {
    const { layout } = this.view;
    const out = { xs: new Float32Array(this.count), ys: new Float32Array(this.count), depths: new Float32Array(this.count) };
    this.camera.project(phase ? layout.after : layout.places, out.xs, out.ys, out.depths);
    return out;
  }

  /** Draw one frame; true while labels are still fading in. */
  draw(elapsed = 1000) {
    const begun = performance.now();
    const { context, canvas, screen, camera } = this;
    let scene = null;
    if (this.stale) {
      camera.project(this.places, screen.xs, screen.ys, screen.depths);
      scene = this.scene();
      if (scene.solid) byDepth(screen.depths, this.order);
      paintPoints(this.pixels, canvas.width, canvas.height, scene);
      scene.cards = cardsOver(canvas);
      this.labels.place(scene, this.firstLabels(), this.regionLabels(scene));
      this.gridStale = true;
      this.stale = false;
    }
    scene ??= this.scene();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.putImageData(this.image, 0, 0);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    drawOverlay(context, this, scene);
    const fading = this.labels.draw(scene, elapsed);
    drawAxisNames(context, this, scene);
    drawHover(context, this, scene);
    this.drawTime = performance.now() - begun;
    return fading;
  }

  /** The names of the column's groups where they are, while the whole map is in view. */
  regionLabels(scene) {
    const { column, camera } = this;
    const names = column?.categories ?? [];
    if (!names.length || names.length > 24 || this.focus || camera.zoom > 2) return [];
    const key = [this.view.key, column.name, this.phase].join("|");
    if (this.centres?.key !== key) this.centres = { key, places: centresOf(column, this.targetPlaces()) };
    const [xs, ys, depths] = [0, 1, 2].map(() => new Float32Array(names.length));
    camera.project(this.centres.places, xs, ys, depths);
    return names
      .map((text, k) => ({ k, text, x: xs[k], y: ys[k], colour: categoryColour(k, this.theme) }))
      .filter(({ k, x }) => !Number.isNaN(x) && !this.hidden.has(k));
  }

  /** Names that come before all others: the point in focus, its neighbours, the terms of a formula. */
  firstLabels() {
    const { focus } = this;
    const near = this.near.map(({ index }) => ({ i: index, size: 13, weight: 560 }));
    if (focus?.kind === "point") return [{ i: focus.index, size: 18, weight: 680, always: true }, ...near];
    if (focus?.kind === "formula") return [...near.map((label, at) => (at ? label : { ...label, size: 18, weight: 680, always: true })), ...focus.terms.map(({ index }) => ({ i: index, size: 14, weight: 560 }))];
    if (this.phase && this.movers.length) return this.movers.slice(0, 40).map((i) => ({ i, size: 12, weight: 560 }));
    return [];
  }
}

/** The median place of each group; NaN for one without points. */
function centresOf(column, places) {
  const out = new Float32Array(3 * column.categories.length);
  const members = column.categories.map(() => []);
  column.values.forEach((k, i) => k >= 0 && members[k].push(i));
  members.forEach((group, k) => {
    for (let axis = 0; axis < 3; axis++) {
      const values = Float32Array.from(group, (i) => places[3 * i + axis]).sort();
      out[3 * k + axis] = values.length ? values[values.length >> 1] : NaN;
    }
  });
  return out;
}
