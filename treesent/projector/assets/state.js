// The view as a link: everything that a reader needs to see the same picture.

function stateText(app) {
  const { camera } = app;
  const out = new URLSearchParams();
  const put = (name, value) => value !== "" && value !== null && out.set(name, value);
  put("view", app.view.key);
  put("colour", app.column?.name ?? "");
  put("theme", app.theme);
  put("at", [camera.x, camera.y, camera.zoom].map((value) => value.toFixed(4)).join(","));
  if (app.view.solid) put("turn", [camera.yaw, camera.pitch].map((value) => value.toFixed(3)).join(","));
  if (app.view.key === "axes") put("x", app.axes.x), put("y", app.axes.y);
  if (app.focus?.kind === "point") put("name", app.names[app.focus.index]);
  if (app.focus?.kind === "formula") put("find", app.focus.text);
  if (app.hasAfter) put("phase", app.phase.toFixed(2));
  if (app.hidden.size) put("hidden", [...app.hidden].join(","));
  return out.toString();
}

/** Put a link's view on the screen; what the page does not have is left alone. */
function restore(app, text) {
  const from = new URLSearchParams(text.replace(/^#/, ""));
  const numbers = (name) => (from.get(name) ?? "").split(",").map(Number);
  if (from.has("theme") && THEMES[from.get("theme")]) app.setTheme(from.get("theme"));
  if (from.has("colour")) app.setColour(from.get("colour"));
  if (from.has("hidden")) app.setHidden(numbers("hidden"));
  if (from.has("phase")) app.setPhase(numbers("phase")[0] || 0);
  if (from.get("view") === "axes") app.setAxes(from.get("x") ?? "", from.get("y") ?? "", true);
  else if (from.has("view")) app.setView(from.get("view"), true);
  if (from.has("name")) app.select(app.find(from.get("name")), false);
  if (from.has("find")) app.ask(from.get("find"), false);
  const [yaw, pitch] = numbers("turn");
  if (Number.isFinite(pitch)) Object.assign(app.camera, { yaw, pitch });
  const [x, y, zoom] = numbers("at");
  if (Number.isFinite(zoom) && zoom > 0) {
    app.stopFlight();
    Object.assign(app.camera, { x, y, scale: (app.camera.scale / app.camera.zoom) * zoom });
  }
  app.invalidate("points");
}
