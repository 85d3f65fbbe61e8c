// From places in a layout to places on the screen: pan, zoom, turn.

class Camera {
  constructor() {
    Object.assign(this, { x: 0, y: 0, scale: 300, yaw: 0.6, pitch: 0.35, turn: 0, width: 1, height: 1 });
    this.frame = { x: 0, y: 0, z: 0, half: 1, halfX: 1, halfY: 1 };
    this.insets = { top: 84, right: 32, bottom: 56, left: 32 };
  }

  /** The middle of the part of the screen that no card covers. */
  get middle() {
    const { top, right, bottom, left } = this.insets;
    return [(left + this.width - right) / 2, (top + this.height - bottom) / 2];
  }

  /** The camera that shows a whole frame. */
  fitted(frame, turn) {
    const { top, right, bottom, left } = this.insets;
    const w = Math.max(80, this.width - left - right) / 2;
    const h = Math.max(80, this.height - top - bottom) / 2;
    const scale = turn ? Math.min(w, h) / frame.half : Math.min(w / frame.halfX, h / frame.halfY);
    return { x: frame.x, y: frame.y, scale: scale * 0.94, turn };
  }

  get zoom() {
    return this.scale / this.fitted(this.frame, this.turn > 0.5 ? 1 : 0).scale;
  }

  /** Write the screen places of all points; depth runs from -1 (far) to 1 (near), 0 in a flat layout. */
  project(places, xs, ys, depths) {
    const { frame, scale, turn } = this;
    const [mx, my] = this.middle;
    const yaw = this.yaw * turn;
    const pitch = this.pitch * turn;
    const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
    for (let i = 0; i < xs.length; i++) {
      const px = places[3 * i] - frame.x;
      const py = places[3 * i + 1] - frame.y;
      const pz = (places[3 * i + 2] - frame.z) * turn;
      const rx = px * cy + pz * sy;
      const rz = pz * cy - px * sy;
      const ry = py * cp - rz * sp;
      const depth = ((rz * cp + py * sp) / frame.half) * turn;
      const near = 3 / Math.max(0.6, 3 - depth); // a mild perspective
      xs[i] = mx + (rx * near + frame.x - this.x) * scale;
      ys[i] = my - (ry * near + frame.y - this.y) * scale;
      depths[i] = depth;
    }
  }

  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
  }

  rotate(dx, dy) {
    this.yaw += dx * 0.006;
    this.pitch = Math.max(-1.5, Math.min(1.5, this.pitch + dy * 0.006));
  }

  /** Zoom by a factor and keep the place under (px, py) where it is. */
  zoomAt(factor, px, py) {
    const base = this.scale / this.zoom;
    const scale = Math.max(base * 0.4, Math.min(base * 400, this.scale * factor));
    const [mx, my] = this.middle;
    this.x += (px - mx) * (1 / this.scale - 1 / scale);
    this.y -= (py - my) * (1 / this.scale - 1 / scale);
    this.scale = scale;
  }
}

/** The frame of a layout: where its points are, without the farthest hundredth, or a larger share of them. */
function frameOf(places, share = 0.99) {
  const count = places.length / 3;
  const spread = (axis) => {
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++) values[i] = places[3 * i + axis];
    values.sort();
    const low = values[Math.floor(((1 - share) / 2) * (count - 1))];
    const high = values[Math.ceil(((1 + share) / 2) * (count - 1))];
    return [(low + high) / 2, Math.max((high - low) / 2, 1e-3)];
  };
  const [[x, halfX], [y, halfY], [z, halfZ]] = [0, 1, 2].map(spread);
  return { x, y, z, halfX: halfX * 1.05, halfY: halfY * 1.05, half: Math.hypot(halfX, halfY, halfZ) * 0.8 };
}
