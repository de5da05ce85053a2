// Draws, asks, shows. While a request is on its way, newer strokes wait: the next request takes the newest of them.
import { connect } from './sluice-client.js';
import { pixelsOf, showPixels } from './strokes.js';

const MODEL = 'digits';
const RECENT = 50;
const element = (id) => document.getElementById(id);
const paper = element('paper');
const pen = paper.getContext('2d');

let strokes = [];
/** The paper shows an example, not strokes. */
let isSample = false;
let wanted;
let isAsking = false;
let answers = 0;
const recentMs = [];
let client;

// --- the server

const STATES = { open: 'Connected', reconnecting: 'Connection lost, connecting again ...', closed: 'Not connected' };

function showState(state, text = STATES[state]) {
  element('connection').dataset.state = state;
  element('connection').textContent = text;
}

async function start() {
  try {
    client = await connect(location.origin, { deadlineMs: 5000, idempotent: true, onState: showState, onModels: checkModel });
    await ask();
  } catch (error) {
    showState('closed', `${error.message}. Trying again ...`);
    setTimeout(start, 1000 + 1000 * Math.random());
  }
}

function checkModel(models) {
  if (models.get(MODEL)?.version !== undefined) showState('open');
  else showState('closed', `This server has no model "${MODEL}" that is ready: start it with examples/models`);
}

async function ask() {
  if (client === undefined || isAsking || wanted === undefined) return;
  isAsking = true;
  const pixels = wanted;
  wanted = undefined;
  const beganMs = performance.now();
  try {
    const { outputs } = await client.infer(MODEL, { pixels }, { shape: [1, 64] });
    const tookMs = performance.now() - beganMs;
    if (strokes.length > 0 || isSample) show(outputs, tookMs);
  } catch (error) {
    element('label').textContent = '!';
    showState('closed', error.message);
  }
  isAsking = false;
  if (wanted !== undefined) requestAnimationFrame(ask);
}

function want(pixels) {
  showPixels(element('seen'), pixels);
  wanted = pixels;
  void ask();
}

// --- what it says

const rows = Array.from({ length: 10 }, (_, digit) => {
  const row = document.createElement('li');
  row.innerHTML = '<span class="digit"></span><span class="bar" aria-hidden="true"><span></span></span><span class="percent"></span>';
  row.querySelector('.digit').textContent = digit;
  element('probabilities').append(row);
  return { row, bar: row.querySelector('.bar span'), percent: row.querySelector('.percent') };
});

function show(outputs, tookMs) {
  showAnswer(String(outputs.label.data[0]), outputs.probabilities.data);
  answers += 1;
  recentMs.push(tookMs);
  if (recentMs.length > RECENT) recentMs.shift();
  const median = [...recentMs].sort((a, b) => a - b)[Math.floor(recentMs.length / 2)];
  element('latency').textContent = `${tookMs.toFixed(1)} ms`;
  element('median').textContent = `${median.toFixed(1)} ms`;
  element('answers').textContent = answers;
}

function showAnswer(label, probabilities) {
  const output = element('label');
  if (output.textContent !== label) output.textContent = label;
  rows.forEach(({ row, bar, percent }, digit) => {
    const probability = probabilities[digit] ?? 0;
    row.dataset.best = String(digit) === label;
    bar.style.transform = `scaleX(${probability})`;
    percent.textContent = `${(100 * probability).toFixed(1)} %`;
  });
}

// --- paper and pen

function clear() {
  strokes = [];
  isSample = false;
  wanted = undefined;
  pen.clearRect(0, 0, paper.width, paper.height);
  showPixels(element('seen'), new Float32Array(64));
  showAnswer('?', []);
}

function pointOf(event) {
  const box = paper.getBoundingClientRect();
  const scale = paper.width / box.width;
  return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
}

function draw(from, to) {
  pen.lineCap = 'round';
  pen.lineWidth = paper.width / 16;
  pen.strokeStyle = getComputedStyle(paper).color;
  pen.beginPath();
  pen.moveTo(from.x, from.y);
  pen.lineTo(to.x, to.y);
  pen.stroke();
}

paper.addEventListener('pointerdown', (event) => {
  if (!event.isPrimary || event.button !== 0) return;
  if (isSample) clear();
  paper.setPointerCapture(event.pointerId);
  const point = pointOf(event);
  strokes.push([point]);
  draw(point, point);
  want(pixelsOf(strokes));
});

paper.addEventListener('pointermove', (event) => {
  if (!event.isPrimary || !paper.hasPointerCapture(event.pointerId)) return;
  const stroke = strokes.at(-1);
  // Clear may be pressed while the pen is down.
  if (stroke === undefined) return;
  for (const part of event.getCoalescedEvents?.() ?? [event]) {
    const point = pointOf(part);
    draw(stroke.at(-1), point);
    stroke.push(point);
  }
  want(pixelsOf(strokes));
});

element('clear').addEventListener('click', clear);
document.addEventListener('keydown', ({ key }) => {
  if (key === 'Escape' || key === 'Delete') clear();
});

// --- digits that the model has not learnt from

function showSample(pixels) {
  clear();
  isSample = true;
  const side = paper.width / 8;
  pen.fillStyle = getComputedStyle(paper).color;
  pixels.forEach((value, index) => {
    pen.globalAlpha = value / 16;
    pen.fillRect((index % 8) * side, Math.floor(index / 8) * side, side, side);
  });
  pen.globalAlpha = 1;
  want(Float32Array.from(pixels));
}

const samples = await (await fetch('samples.json')).json();
for (const { label, pixels } of samples) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = label;
  button.setAttribute('aria-label', `Show a handwritten ${label}`);
  button.addEventListener('click', () => {
    showSample(pixels);
  });
  element('samples').append(button);
}

clear();
void start();
