// The mouse, the pen and the fingers: move, turn, zoom, point, and draw a selection.

function makePointer(app) {
  const { canvas, camera } = app;
  const held = new Map();
  let start = null;
  let moved = false;
  let pinch = 0;
  const place = (event) => [event.offsetX, event.offsetY];
  const spread = () => {
    const [[ax, ay], [bx, by]] = [...held.values()];
    return [Math.hypot(ax - bx, ay - by), (ax + bx) / 2, (ay + by) / 2];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 1) return;
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, place(event));
    app.stopFlight();
    app.setHover(-1);
    moved = false;
    start = place(event);
    if (held.size === 2) {
      [pinch] = spread();
      app.lasso = null;
      return;
    }
    const box = app.tool === "box" || (event.shiftKey && !app.view.solid);
    app.drawing = app.tool === "lasso" ? "lasso" : box ? "box" : "";
    if (app.drawing) app.lasso = [start];
    else canvas.classList.add("drag");
  });

  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    const last = held.get(event.pointerId);
    if (!last) return hover(x, y, event.pointerType);
    held.set(event.pointerId, [x, y]);
    if (Math.hypot(x - start[0], y - start[1]) > 4) moved = true;
    if (held.size === 2) {
      const [far, mx, my] = spread();
      camera.zoomAt(far / pinch, mx, my);
      pinch = far;
    } else if (app.drawing === "lasso") {
      app.lasso.push([x, y]);
      return app.invalidate("overlay");
    } else if (app.drawing === "box") {
      app.lasso = [start, [x, start[1]], [x, y], [start[0], y]];
      return app.invalidate("overlay");
    } else if (app.view.solid && !event.shiftKey) camera.rotate(x - last[0], y - last[1]);
    else camera.pan(x - last[0], y - last[1]);
    app.setHover(-1);
    app.invalidate("points");
  });

  const end = (event) => {
    if (!held.delete(event.pointerId)) return;
    canvas.classList.remove("drag");
    if (held.size) return;
    const path = app.lasso;
    app.lasso = null;
    if (app.drawing && moved && event.type === "pointerup") app.chooseInside(path);
    else if (!moved && event.type === "pointerup") {
      const i = app.under(...place(event), event.pointerType === "touch" ? 22 : 14);
      if (i >= 0) app.select(i, false);
      else app.clear();
    }
    app.drawing = "";
    app.invalidate("overlay");
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", () => app.setHover(-1));
  canvas.addEventListener("dblclick", (event) => app.zoomBy(2.2, ...place(event)));
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      app.stopFlight();
      const unit = event.deltaMode === 1 ? 18 : 1;
      camera.zoomAt(Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0016)), ...place(event));
      app.invalidate("points");
    },
    { passive: false },
  );

  function hover(x, y, type) {
    if (type === "touch") return;
    const i = app.under(x, y, 16);
    canvas.classList.toggle("point", i >= 0);
    app.setHover(i);
  }
}
