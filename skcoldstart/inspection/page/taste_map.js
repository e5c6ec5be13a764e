"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const stage = at("stage"), tip = at("tip"), player = at("player");
const n = data.names.length;
const X = Float32Array.from(data.x), Y = Float32Array.from(data.y);
const styleOf = Uint8Array.from(data.style);
const detailNames = Object.keys(data.details);

/* ---- what is shown ---------------------------------------------------- */
const shown = data.styles.map(() => true);
let matches = null;                 // Uint8Array, or null while nothing is searched
let hovered = -1, selected = -1;
const visible = (i) => shown[styleOf[i]];

/* ---- the view: screen = (unit - centre) * scale + middle --------------- */
let width = 1, height = 1, ratio = 1, fit = 1;
const view = { x: data.units / 2, y: data.units / 2, scale: 1 };
const toScreenX = (x) => (x - view.x) * view.scale + width / 2;
const toScreenY = (y) => (y - view.y) * view.scale + height / 2;

/* ---- neighbours: a grid of cells, items sorted by cell ----------------- */
const side = Math.max(1, Math.min(512, Math.round(Math.sqrt(n / 3))));
const cellOf = (v) => Math.max(0, Math.min(side - 1, Math.floor(v / (data.units + 1) * side)));
const cellStart = new Uint32Array(side * side + 1), cellItems = new Uint32Array(n);
for (let i = 0; i < n; i++) cellStart[cellOf(Y[i]) * side + cellOf(X[i]) + 1]++;
for (let c = 0; c < side * side; c++) cellStart[c + 1] += cellStart[c];
{
  const next = cellStart.slice();
  for (let i = 0; i < n; i++) cellItems[next[cellOf(Y[i]) * side + cellOf(X[i])]++] = i;
}
function nearest(screenX, screenY, reach) {
  const x = (screenX - width / 2) / view.scale + view.x;
  const y = (screenY - height / 2) / view.scale + view.y;
  const r = reach / view.scale;
  let best = -1, least = r * r;
  for (let row = cellOf(y - r); row <= cellOf(y + r); row++) {
    const from = cellStart[row * side + cellOf(x - r)];
    const to = cellStart[row * side + cellOf(x + r) + 1];
    for (let k = from; k < to; k++) {
      const i = cellItems[k];
      if (!visible(i)) continue;
      let d = (X[i] - x) ** 2 + (Y[i] - y) ** 2;
      if (matches && !matches[i]) d *= 4;
      if (d < least) { least = d; best = i; }
    }
  }
  return best;
}

/* ---- dots: stamps of pixels, blended into one image -------------------- */
const dots = at("dots"), marks = at("marks");
const dotsContext = dots.getContext("2d", { alpha: false });
const marksContext = marks.getContext("2d");
let image = null, pixels = null;
const rgbOf = (hex) => [1, 3, 5].map((k) => parseInt(hex.trim().slice(k, k + 2), 16));
const dark = matchMedia("(prefers-color-scheme: dark)");
let paper, ink, colours, pale;
/* Colours of the page; on dark paper those of labels are lighter. */
function readTheme() {
  const css = getComputedStyle(document.documentElement);
  paper = rgbOf(css.getPropertyValue("--paper"));
  ink = css.getPropertyValue("--ink").trim();
  const lighter = dark.matches ? 0.3 : 0;
  colours = data.styles.map((style) => rgbOf(style.colour).map((v) => Math.round(v + (255 - v) * lighter)));
  pale = colours.map((rgb) => rgb.map((v, c) => Math.round(0.78 * paper[c] + 0.1 * v + 15)));
}
readTheme();

function inShape(shape, x, y, r) {
  if (shape === "^") return y <= 0.8 * r && y >= -1.1 * r && Math.abs(x) <= (y + 1.1 * r) * 0.62;
  if (shape === "s") return Math.abs(x) <= 0.88 * r && Math.abs(y) <= 0.88 * r;
  return x * x + y * y <= r * r;
}
/* A stamp: for each pixel it touches its offset, colour and opacity, by 4x4 samples. */
function makeStamp(shape, rgb, radius) {
  const rim = Math.max(0.5, 0.22 * radius), reach = Math.ceil(1.2 * (radius + rim)) + 1;
  const xs = [], ys = [], reds = [], greens = [], blues = [], opacities = [];
  for (let y = -reach; y <= reach; y++) for (let x = -reach; x <= reach; x++) {
    let inner = 0, outer = 0;
    for (let a = 0; a < 4; a++) for (let b = 0; b < 4; b++) {
      const px = x + (a + 0.5) / 4 - 0.5, py = y + (b + 0.5) / 4 - 0.5;
      if (inShape(shape, px, py, radius)) inner++;
      if (inShape(shape, px, py, radius + rim)) outer++;
    }
    if (!outer) continue;
    const share = inner / outer;
    xs.push(x); ys.push(y); opacities.push(Math.round(outer / 16 * 256));
    [reds, greens, blues].forEach((into, c) => into.push(Math.round(rgb[c] * share + paper[c] * (1 - share))));
  }
  const [R, G, B] = [reds, greens, blues].map((v) => Uint8Array.from(v));
  return { n: xs.length, reach, R, G, B, xs: Int16Array.from(xs), ys: Int16Array.from(ys),
           opacity: Uint16Array.from(opacities), offset: new Int32Array(xs.length), stride: 0 };
}
let stamps = null, paleStamps = null, stampRadius = 0;
function radius() {
  const base = Math.max(1.6, Math.min(5, 90 / Math.sqrt(n)));
  return Math.min(7, base * Math.pow(view.scale / fit, 0.3));
}
function prepareStamps() {
  const r = Math.round(radius() * ratio * 4) / 4;
  if (r !== stampRadius) {
    stampRadius = r;
    stamps = data.styles.map((s, i) => makeStamp(s.shape, colours[i], r));
    paleStamps = data.styles.map((s, i) => makeStamp(s.shape, pale[i], r));
  }
  const w = dots.width;
  for (const stamp of [...stamps, ...paleStamps]) {
    if (stamp.stride === w) continue;
    for (let k = 0; k < stamp.n; k++) stamp.offset[k] = stamp.ys[k] * w + stamp.xs[k];
    stamp.stride = w;
  }
}
function put(i, stamp, w, h) {
  const x = Math.round(toScreenX(X[i]) * ratio), y = Math.round(toScreenY(Y[i]) * ratio);
  const reach = stamp.reach;
  if (x < -reach || y < -reach || x >= w + reach || y >= h + reach) return 0;
  const whole = x >= reach && y >= reach && x < w - reach && y < h - reach;
  const base = y * w + x;
  for (let k = 0; k < stamp.n; k++) {
    if (!whole) {
      const px = x + stamp.xs[k], py = y + stamp.ys[k];
      if (px < 0 || py < 0 || px >= w || py >= h) continue;
    }
    const at = base + stamp.offset[k], a = stamp.opacity[k];
    if (a === 256) {
      pixels[at] = 0xff000000 | stamp.B[k] << 16 | stamp.G[k] << 8 | stamp.R[k];
    } else {
      const old = pixels[at], keep = 256 - a;
      pixels[at] = 0xff000000
        | ((old >> 16 & 255) * keep + stamp.B[k] * a >> 8) << 16
        | ((old >> 8 & 255) * keep + stamp.G[k] * a >> 8) << 8
        | ((old & 255) * keep + stamp.R[k] * a >> 8);
    }
  }
  return 1;
}
const inView = new Uint32Array(n);
function drawDots() {
  const w = dots.width, h = dots.height;
  prepareStamps();
  pixels.fill((0xff000000 | paper[2] << 16 | paper[1] << 8 | paper[0]) >>> 0);
  let count = 0;
  if (matches) for (let i = 0; i < n; i++) {
    if (visible(i) && !matches[i]) put(i, paleStamps[styleOf[i]], w, h);
  }
  for (let i = 0; i < n; i++) {
    if (!visible(i) || (matches && !matches[i])) continue;
    if (put(i, stamps[styleOf[i]], w, h)) inView[count++] = i;
  }
  dotsContext.putImageData(image, 0, 0);
  return count;
}

/* ---- names and rings --------------------------------------------------- */
function drawMarks(count) {
  const c = marksContext;
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  c.font = "12px system-ui, sans-serif";
  c.textBaseline = "middle";
  c.lineJoin = "round";
  if (count <= 150) {
    const r0 = radius(), boxes = [[width - 60, height - 130, width, height]];  // the buttons
    for (let k = 0; k < count; k++) {
      const x = toScreenX(X[inView[k]]), y = toScreenY(Y[inView[k]]);
      boxes.push([x - r0, y - r0, x + r0, y + r0]);
    }
    for (let k = 0; k < count; k++) {
      const i = inView[k], x = toScreenX(X[i]), y = toScreenY(Y[i]);
      const text = shorten(data.names[i], 34), w = c.measureText(text).width, r = r0 + 3.5;
      for (const left of [x + r, x - r - w]) {
        const box = [left - 1, y - 7, left + w + 1, y + 7];
        const free = box[0] >= 0 && box[2] <= width && box[1] >= 0 && box[3] <= height
          && boxes.every((o) => box[0] >= o[2] || o[0] >= box[2] || box[1] >= o[3] || o[1] >= box[3]);
        if (!free) continue;
        boxes.push(box);
        c.lineWidth = 3; c.strokeStyle = `rgba(${paper},.9)`; c.strokeText(text, left, y);
        c.fillStyle = ink; c.fillText(text, left, y);
        break;
      }
    }
  }
  for (const [i, extra, line] of [[hovered, 2.5, 2], [selected, 4, 2.5]]) {
    if (i < 0 || !visible(i)) continue;
    c.beginPath();
    c.arc(toScreenX(X[i]), toScreenY(Y[i]), radius() + extra, 0, 2 * Math.PI);
    c.lineWidth = line; c.strokeStyle = ink; c.stroke();
  }
}
const shorten = (text, most) => text.length > most ? [...text].slice(0, most - 1).join("") + "…" : text;

let waiting = false, movedDots = true, count = 0;
function draw(dotsToo = true) {
  movedDots = movedDots || dotsToo;
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    const start = performance.now();
    if (movedDots) count = drawDots();
    movedDots = false;
    drawMarks(count);
    stage.dataset.drawMs = (performance.now() - start).toFixed(2);
    stage.dataset.inView = count;
  });
}

/* ---- moving ------------------------------------------------------------ */
function clampView() {
  view.scale = Math.max(0.5 * fit, Math.min(400 * fit, view.scale));
  view.x = Math.max(0, Math.min(data.units, view.x));
  view.y = Math.max(0, Math.min(data.units, view.y));
}
function zoomAt(factor, x = width / 2, y = height / 2) {
  const before = view.scale;
  view.scale *= factor;
  clampView();
  const share = 1 / before - 1 / view.scale;
  view.x += (x - width / 2) * share;
  view.y += (y - height / 2) * share;
  clampView();
  draw();
}
function showAll() {
  view.x = view.y = data.units / 2;
  view.scale = fit;
  draw();
}
function goTo(i, closer) {
  view.x = X[i]; view.y = Y[i];
  if (closer) view.scale = Math.max(view.scale, 6 * fit);
  clampView();
  draw();
}
function resize() {
  const old = fit;
  width = stage.clientWidth || 1;
  height = stage.clientHeight || 1;
  ratio = Math.min(2, window.devicePixelRatio || 1);
  for (const canvas of [dots, marks]) {
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(height * ratio));
  }
  image = dotsContext.createImageData(dots.width, dots.height);
  pixels = new Uint32Array(image.data.buffer);
  fit = 0.94 * Math.min(width, height) / data.units;
  view.scale = pixelsReady ? view.scale * fit / old : fit;
  pixelsReady = true;
  draw();
}
let pixelsReady = false;

const pointers = new Map();
let travelled = 0, spread = 0;
const place = (event) => {
  const box = stage.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
};
stage.addEventListener("pointerdown", (event) => {
  if (event.target.closest("#zoom") || event.button > 0) return;
  pointers.set(event.pointerId, place(event));
  stage.setPointerCapture(event.pointerId);
  travelled = pointers.size > 1 ? 99 : 0;
  spread = 0;
});
stage.addEventListener("pointermove", (event) => {
  const now = place(event), before = pointers.get(event.pointerId);
  if (!before) { hover(event.target.closest("#zoom") ? -1 : nearest(now.x, now.y, 12), now); return; }
  pointers.set(event.pointerId, now);
  if (pointers.size === 1) {
    travelled += Math.hypot(now.x - before.x, now.y - before.y);
    if (travelled < 4) return;
    stage.classList.add("moving");
    hover(-1);
    view.x -= (now.x - before.x) / view.scale;
    view.y -= (now.y - before.y) / view.scale;
    clampView();
    draw();
  } else if (pointers.size === 2) {
    const [a, b] = [...pointers.values()];
    const apart = Math.hypot(a.x - b.x, a.y - b.y);
    if (spread) zoomAt(apart / spread, (a.x + b.x) / 2, (a.y + b.y) / 2);
    spread = apart;
  }
});
function release(event) {
  if (!pointers.delete(event.pointerId)) return;
  spread = 0;
  stage.classList.remove("moving");
  if (event.type === "pointerup" && travelled < 4) {
    const now = place(event), i = nearest(now.x, now.y, 12);
    if (i >= 0) select(i, true); else if (selected >= 0) unselect();
  }
}
stage.addEventListener("pointerup", release);
stage.addEventListener("pointercancel", release);
stage.addEventListener("pointerleave", () => hover(-1));
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const now = place(event), step = event.deltaMode === 1 ? 16 * event.deltaY : event.deltaY;
  zoomAt(Math.exp(-0.0016 * Math.max(-400, Math.min(400, step))), now.x, now.y);
}, { passive: false });
stage.addEventListener("dblclick", (event) => {
  if (event.target.closest("#zoom")) return;
  const now = place(event);
  zoomAt(2, now.x, now.y);
});
stage.addEventListener("keydown", (event) => {
  const step = 80 / view.scale;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  if (moves[event.key]) {
    view.x += moves[event.key][0]; view.y += moves[event.key][1];
    clampView(); draw();
  } else if (event.key === "+" || event.key === "=") zoomAt(1.4);
  else if (event.key === "-") zoomAt(1 / 1.4);
  else if (event.key === "0") showAll();
  else if (event.key === "Escape") unselect();
  else return;
  event.preventDefault();
});
at("nearer").addEventListener("click", () => zoomAt(1.6));
at("farther").addEventListener("click", () => zoomAt(1 / 1.6));
at("whole").addEventListener("click", showAll);

/* ---- one item: all text goes in as text, never as markup ---------------- */
function element(name, text) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return made;
}
function hover(i, now) {
  if (i !== hovered) {
    hovered = i;
    stage.classList.toggle("over", i >= 0);
    tip.hidden = i < 0;
    if (i >= 0) {
      tip.replaceChildren(element("strong", data.names[i]));
      const label = data.styles[styleOf[i]].label;
      if (label) tip.append(element("span", label));
      for (const key of detailNames) if (data.details[key][i]) tip.append(element("span", key + ": " + data.details[key][i]));
    }
    draw(false);
  }
  if (i < 0) return;
  const right = now.x + 14 + tip.offsetWidth < width;
  const below = now.y + 14 + tip.offsetHeight < height;
  tip.style.left = Math.max(0, right ? now.x + 14 : now.x - 14 - tip.offsetWidth) + "px";
  tip.style.top = Math.max(0, below ? now.y + 14 : now.y - 14 - tip.offsetHeight) + "px";
}
function select(i, listen) {
  selected = i;
  at("item").hidden = false;
  at("item-name").textContent = data.names[i];
  at("item-label").textContent = data.styles[styleOf[i]].label;
  at("item-details").replaceChildren(...detailNames.flatMap((key) =>
    data.details[key][i] ? [element("dt", key), element("dd", data.details[key][i])] : []));
  const link = data.audio && data.audio[i];
  because(data.reasons && data.reasons[i]);
  showMoments((data.moments && data.moments[i]) || [], Boolean(link));
  at("trouble").hidden = true;
  player.pause();
  player.hidden = !link;
  if (link) {
    player.src = link;
    if (listen) player.play().catch(() => {});
  } else {
    player.removeAttribute("src");
  }
  draw(false);
}
/* ---- why, and which seconds ---------------------------------------------- */
let placeOf = null;                 // where a name is on the map
function because(names) {
  at("because").hidden = !(names && names.length);
  if (at("because").hidden) return;
  placeOf = placeOf || new Map(data.names.map((name, i) => [name, i]));
  at("because").replaceChildren("Because you played ");
  names.forEach((name, k) => {
    if (k) at("because").append(k === names.length - 1 ? " and " : ", ");
    if (!placeOf.has(name)) { at("because").append(name); return; }
    const button = element("button", name);
    button.type = "button";
    button.addEventListener("click", () => { const i = placeOf.get(name); select(i, true); goTo(i, true); });
    at("because").append(button);
  });
}
const clock = (s) => Math.floor(s / 60) + ":" + String(Math.floor(s % 60)).padStart(2, "0");
let spans = [];
function showMoments(found, canListen) {
  spans = found;
  at("when").hidden = !found.length;
  at("strip").classList.toggle("heard", canListen);
  at("moments").replaceChildren(...found.map(([start, end]) => {
    const button = element("button", "▶ " + clock(start) + "–" + clock(end));
    button.type = "button";
    button.disabled = !canListen;
    button.title = "Listen from " + clock(start);
    button.addEventListener("click", () => listenFrom(start));
    return button;
  }));
  drawStrip();
}
const lasts = () => player.duration > 0 && player.duration < Infinity
  ? player.duration : Math.max(...spans.map((span) => span[1]));
function drawStrip() {
  if (!spans.length) return;
  const all = lasts(), part = (s) => Math.min(100, 100 * s / all) + "%";
  const marked = spans.map(([start, end]) => {
    const span = element("span");
    span.style.left = part(start);
    span.style.width = part(end - start);
    return span;
  });
  const now = element("i");
  now.style.left = part(player.currentTime);
  at("strip").replaceChildren(...marked, now);
}
function listenFrom(seconds) {
  const start = () => { player.currentTime = seconds; player.play().catch(() => {}); };
  if (player.readyState > 0) start();
  else { player.addEventListener("loadedmetadata", start, { once: true }); player.load(); player.play().catch(() => {}); }
}
for (const name of ["timeupdate", "durationchange", "seeked"]) player.addEventListener(name, drawStrip);
at("strip").addEventListener("click", (event) => {
  if (player.hidden) return;
  const box = at("strip").getBoundingClientRect();
  listenFrom((event.clientX - box.left) / box.width * lasts());
});

function unselect() {
  selected = -1;
  player.pause();
  at("item").hidden = true;
  draw(false);
}
player.addEventListener("error", () => {
  if (!player.getAttribute("src")) return;
  at("trouble").textContent = "This clip cannot be played: " + player.getAttribute("src");
  at("trouble").hidden = false;
});

/* ---- search ------------------------------------------------------------- */
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
let searchable = null;
function search() {
  const words = plain(at("search").value).split(/\s+/).filter(Boolean);
  at("found").replaceChildren();
  if (!words.length) { matches = null; report(); draw(); return; }
  if (!searchable) searchable = data.names.map((name, i) =>
    plain([name, data.styles[styleOf[i]].label, ...detailNames.map((key) => data.details[key][i])].join("\n")));
  matches = new Uint8Array(n);
  const first = [];
  for (let i = 0; i < n; i++) {
    if (!words.every((word) => searchable[i].includes(word))) continue;
    matches[i] = 1;
    if (visible(i) && first.length < 100) first.push(i);
  }
  at("found").append(...first.map((i) => {
    const entry = element("li"), button = element("button", data.names[i]);
    button.type = "button";
    button.addEventListener("click", () => { select(i, true); goTo(i, true); });
    entry.append(button);
    return entry;
  }));
  report();
  draw();
}
at("search").addEventListener("input", search);
at("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") at("found").querySelector("button")?.click();
  if (event.key === "Escape") { at("search").value = ""; search(); }
});

/* ---- labels -------------------------------------------------------------- */
function drawSample(sample, s) {
  const context = sample.getContext("2d"), stamp = makeStamp(data.styles[s].shape, colours[s], 11);
  const icon = context.createImageData(32, 32);
  for (let k = 0; k < stamp.n; k++) {
    const x = 16 + stamp.xs[k], y = 16 + stamp.ys[k];
    if (x >= 0 && y >= 0 && x < 32 && y < 32)
      icon.data.set([stamp.R[k], stamp.G[k], stamp.B[k], Math.min(255, stamp.opacity[k])], 4 * (y * 32 + x));
  }
  context.putImageData(icon, 0, 0);
}
dark.addEventListener("change", () => {
  readTheme();
  stampRadius = 0;
  document.querySelectorAll("#legend canvas").forEach(drawSample);
  draw();
});
const toggles = data.styles.map((style, s) => {
  const entry = element("li"), button = element("button"), sample = element("canvas");
  button.type = "button";
  button.title = "Show or hide";
  sample.width = sample.height = 32;
  drawSample(sample, s);
  button.append(sample, element("span", style.label), element("span", style.n_items.toLocaleString("en")));
  button.addEventListener("click", () => setShown((v, k) => k === s ? !v : v));
  button.addEventListener("dblclick", () => setShown((_, k) => k === s));
  entry.append(button);
  at("legend").append(entry);
  return button;
});
function setShown(rule) {
  data.styles.forEach((_, s) => { shown[s] = rule(shown[s], s); });
  hover(-1);
  if (matches) search(); else { report(); draw(); }
}
at("all").addEventListener("click", () => setShown(() => true));
at("none").addEventListener("click", () => setShown(() => false));
at("legend-part").hidden = data.styles.length === 1 && !data.styles[0].label;

function report() {
  toggles.forEach((button, s) => button.setAttribute("aria-pressed", shown[s]));
  let seen = 0, hit = 0;
  for (let i = 0; i < n; i++) if (visible(i)) { seen++; if (matches && matches[i]) hit++; }
  const number = (v) => v.toLocaleString("en");
  at("status").textContent = matches
    ? `${number(hit)} found among ${number(seen)} shown of ${number(n)}`
    : `${number(seen)} of ${number(n)} shown`;
}
report();
new ResizeObserver(resize).observe(stage);
resize();
})();
