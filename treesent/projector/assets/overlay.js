// What is drawn over the points: rings, lines to neighbours, ways between two tables, axes, the lasso.

function drawOverlay(context, app, scene) {
  const theme = THEMES[scene.theme];
  if (app.view.key === "axes") drawAxes(context, app, scene, theme);
  if (app.hasAfter) drawWays(context, app, scene, theme);
  drawNeighbours(context, app, scene, theme);
  for (const { index } of app.near) ring(context, scene, index, theme.accent, 1.1, 2);
  if (app.focus?.kind === "formula") for (const { index } of app.focus.terms) ring(context, scene, index, theme.ink, 1.4, 2.5);
  if (app.focus?.kind === "point") ring(context, scene, app.focus.index, theme.accent, 2.4, 4);
  drawLasso(context, app, theme);
}

function ring(context, scene, i, colour, width, gap) {
  if (!scene.shown[i]) return;
  context.beginPath();
  context.arc(scene.xs[i], scene.ys[i], (scene.bright ? Math.max(2.6, scene.radius * 1.3) : scene.radius) + gap, 0, 2 * Math.PI);
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.stroke();
}

function drawNeighbours(context, app, scene, theme) {
  if (app.focus?.kind !== "point") return;
  const from = app.focus.index;
  context.strokeStyle = theme.accent;
  context.lineWidth = 1;
  for (const { index, cosine } of app.near) {
    context.globalAlpha = 0.1 + 0.45 * Math.max(0, cosine) ** 2;
    context.beginPath();
    context.moveTo(scene.xs[from], scene.ys[from]);
    context.lineTo(scene.xs[index], scene.ys[index]);
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** From where a word was to where it is, for the words in focus, or those that moved most. */
function drawWays(context, app, scene, theme) {
  if (!app.phase || !app.view.layout) return;
  const chosen = app.focus ? app.brightList : app.movers;
  const was = app.projected(0);
  context.lineWidth = app.focus ? 1.6 : 1;
  for (const i of chosen.slice(0, app.focus ? 240 : 90)) {
    if (!scene.shown[i]) continue;
    const line = context.createLinearGradient(was.xs[i], was.ys[i], scene.xs[i], scene.ys[i]);
    line.addColorStop(0, `${theme.accent}00`);
    line.addColorStop(1, `${theme.accent}${app.focus ? "cc" : "88"}`);
    context.strokeStyle = line;
    context.beginPath();
    context.moveTo(was.xs[i], was.ys[i]);
    context.lineTo(scene.xs[i], scene.ys[i]);
    context.stroke();
  }
}

function drawAxes(context, app, scene, theme) {
  const { camera } = app;
  const [mx, my] = camera.middle;
  const zeroX = mx - camera.x * camera.scale;
  const zeroY = my + camera.y * camera.scale;
  context.strokeStyle = theme.soft;
  context.globalAlpha = 0.35;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(zeroX, 0);
  context.lineTo(zeroX, scene.height);
  if (app.axes.y) {
    context.moveTo(0, zeroY);
    context.lineTo(scene.width, zeroY);
  }
  context.stroke();
  context.globalAlpha = 1;
}

/** The names of the axes, over everything else. */
function drawAxisNames(context, app, scene) {
  if (app.view.key !== "axes") return;
  const theme = THEMES[scene.theme];
  const { left, right, top, bottom } = app.camera.insets;
  const ends = (formula) => {
    const [plus, minus] = formula.split(/\s[-−–]\s/);
    return minus ? [minus.trim(), plus.trim()] : ["less", formula.trim()];
  };
  context.font = `600 13px ${FONT}`;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 5;
  context.strokeStyle = theme.background;
  context.fillStyle = theme.accent;
  const write = (text, x, y, align) => {
    context.textAlign = align;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  };
  const [mx, my] = app.camera.middle;
  const [low, high] = ends(app.axes.x);
  write(`← ${low}`, left + 4, my, "left");
  write(`${high} →`, scene.width - right - 4, my, "right");
  if (app.axes.y) {
    const [down, up] = ends(app.axes.y);
    write(`↑ ${up}`, mx, top + 58, "center");
    write(`↓ ${down}`, mx, scene.height - bottom - 8, "center");
  } else if (app.kind === "words") write("↑ frequent", mx, top + 58, "center");
  context.textAlign = "left";
}

function drawLasso(context, app, theme) {
  const path = app.lasso;
  if (!path || path.length < 2) return;
  context.beginPath();
  path.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
  context.fillStyle = `${theme.accent}22`;
  context.strokeStyle = theme.accent;
  context.lineWidth = 1.4;
  context.setLineDash([5, 4]);
  context.fill();
  context.stroke();
  context.setLineDash([]);
}

/** The name under the pointer, on a small card that nothing else covers. */
function drawHover(context, app, scene) {
  const i = app.hover;
  if (i < 0 || !scene.shown[i]) return;
  if (scene.xs[i] < 0 || scene.ys[i] < 0 || scene.xs[i] > scene.width || scene.ys[i] > scene.height) return;
  const theme = THEMES[scene.theme];
  ring(context, scene, i, theme.ink, 1.6, 3);
  const name = app.labels.text(i);
  const note = app.valueText(i);
  context.font = `600 14px ${FONT}`;
  const nameWidth = context.measureText(name).width;
  context.font = `450 12px ${FONT}`;
  const noteWidth = note ? context.measureText(note).width + 10 : 0;
  const w = nameWidth + noteWidth + 20;
  const x = Math.max(6, Math.min(scene.width - w - 6, scene.xs[i] + scene.radius + 10));
  const y = Math.max(18, Math.min(scene.height - 18, scene.ys[i]));
  context.beginPath();
  context.roundRect(x, y - 14, w, 28, 9);
  context.fillStyle = theme.ink;
  context.fill();
  context.textBaseline = "middle";
  context.fillStyle = theme.background;
  context.font = `600 14px ${FONT}`;
  context.fillText(name, x + 10, y + 0.5);
  context.globalAlpha = 0.72;
  context.font = `450 12px ${FONT}`;
  if (note) context.fillText(note, x + 20 + nameWidth, y + 0.5);
  context.globalAlpha = 1;
}
