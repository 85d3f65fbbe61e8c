// Discs straight into the pixels of the canvas: a hundred thousand cost a few milliseconds on any machine.

const masks = [];

/** The coverage of a disc at one of 16 offsets within a pixel: [dx, dy, 0..256, ...]. */
function discMask(radius, sub) {
  const key = Math.round(radius * 4) * 16 + sub;
  let mask = masks[key];
  if (!mask) {
    const [ox, oy] = [(sub & 3) / 4 + 0.125, (sub >> 2) / 4 + 0.125];
    const reach = Math.ceil(radius + 1);
    mask = [];
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const edge = radius + 0.5 - Math.hypot(dx + 0.5 - ox, dy + 0.5 - oy);
        if (edge > 0.02) mask.push(dx, dy, Math.round(256 * Math.min(1, edge)));
      }
    }
    masks[key] = mask = Int32Array.from(mask);
  }
  return mask;
}

/** Blend one disc; alpha from 0 to 256. Places and radius are in device pixels. */
function disc(pixels, width, height, x, y, radius, colour, alpha) {
  const px = Math.floor(x);
  const py = Math.floor(y);
  const mask = discMask(radius, (((y - py) * 4) << 2) | ((x - px) * 4));
  const reach = Math.ceil(radius + 1);
  if (px < -reach || py < -reach || px >= width + reach || py >= height + reach) return;
  const clip = px < reach || py < reach || px >= width - reach || py >= height - reach;
  const rb = colour & 0xff00ff;
  const g = colour & 0x00ff00;
  for (let m = 0; m < mask.length; m += 3) {
    const qx = px + mask[m];
    const qy = py + mask[m + 1];
    if (clip && (qx < 0 || qy < 0 || qx >= width || qy >= height)) continue;
    const a = (mask[m + 2] * alpha) >> 8;
    const at = qy * width + qx;
    const under = pixels[at];
    const back = 256 - a;
    pixels[at] =
      0xff000000 |
      (((Math.imul(under & 0xff00ff, back) + Math.imul(rb, a)) >>> 8) & 0xff00ff) |
      (((Math.imul(under & 0x00ff00, back) + Math.imul(g, a)) >>> 8) & 0x00ff00);
  }
}

/** The points from far to near, in 256 steps of depth. */
function byDepth(depths, order) {
  const start = new Int32Array(257);
  const step = (i) => Math.max(0, Math.min(255, ((depths[i] + 1.2) * 106) | 0));
  for (let i = 0; i < depths.length; i++) start[step(i) + 1]++;
  for (let s = 1; s < 257; s++) start[s] += start[s - 1];
  for (let i = depths.length - 1; i >= 0; i--) order[start[step(i)]++] = i;
  return order;
}

/**
 * Paint all points: the dimmed first, then the bright, each in the order given, or from the last to the first.
 * @param scene { xs, ys, depths, order, colour, shown, bright, radius, alpha, ratio, solid, theme }
 *   shown: 0 hidden, 1 shown; bright: null, or 1 for those that stand out.
 */
function paintPoints(pixels, width, height, scene) {
  const { xs, ys, depths, order, colour, shown, bright, ratio, solid } = scene;
  const theme = THEMES[scene.theme];
  const background = channels(theme.background);
  const ground = packed(background);
  const dim = packed(channels(theme.dim));
  pixels.fill(ground);
  const count = xs.length;
  for (const pass of bright ? [0, 1] : [1]) {
    for (let at = 0; at < count; at++) {
      const i = order ? order[at] : count - 1 - at;
      if (!shown[i] || (bright && bright[i] !== pass)) continue;
      const near = solid ? 3 / (3 - depths[i]) : 1;
      const radius = (pass ? (bright ? Math.max(2.6, scene.radius * 1.3) : scene.radius) : scene.radius * 0.85) * ratio * near;
      const fog = solid ? 0.45 + 0.55 * Math.max(0, Math.min(1, (depths[i] + 1) / 2)) : 1;
      const x = xs[i] * ratio;
      const y = ys[i] * ratio;
      if (pass && radius > 3.2 * ratio) disc(pixels, width, height, x, y, radius + 1.1 * ratio, ground, 190);
      const alpha = Math.round(256 * (pass ? scene.alpha : 0.75) * fog);
      disc(pixels, width, height, x, y, radius, pass ? colour[i] : dim, alpha);
    }
  }
}
