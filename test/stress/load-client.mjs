/**
 * A process of clients: so many connections, each sending one request after another, or on a common schedule of so many per
 * second. Every answer is checked: X + version, with the version that the answer names. Told what to do, and tells what it
 * saw, over the channel to its parent.
 */
import { connect } from 'node:net';

const X = [1, 2, 3, 4];

class Client {
  constructor(port, models, sink) {
    this.models = models;
    this.sink = sink;
    this.pending = Buffer.alloc(0);
    this.busy = false;
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.socket.on('data', (bytes) => this.take(bytes));
    this.socket.on('error', () => this.lost());
    this.socket.on('close', () => this.lost());
  }

  send() {
    const model = this.models[Math.floor(Math.random() * this.models.length)];
    this.model = model;
    const x = [...X, ...new Array(Math.max(model.width - 4, 0)).fill(0)].slice(0, model.width);
    const inputs = model.inputs.map((name) => ({ name, datatype: 'FP32', shape: [1, model.width], data: x }));
    const body = JSON.stringify({ inputs });
    this.busy = true;
    this.sentMs = Date.now();
    this.sentAt = performance.now();
    this.socket.write(
      `POST /v2/models/${model.name}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }

  take(bytes) {
    this.pending = this.pending.length === 0 ? bytes : Buffer.concat([this.pending, bytes]);
    const end = this.pending.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.pending.toString('latin1', 0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.pending.length < end + 4 + length) return;
    const body = this.pending.toString('utf8', end + 4, end + 4 + length);
    this.pending = this.pending.subarray(end + 4 + length);
    this.busy = false;
    this.sink(this, Number(head.slice(9, 12)), body);
  }

  lost() {
    if (this.busy) this.sink(this, 0, 'the connection was lost');
    this.busy = false;
    this.isDead = true;
  }
}

async function run({ port, models, connections, perSecond, seconds, keepsAnswers }) {
  const answers = [];
  const latenciesMs = [];
  const failures = [];
  let wrong = 0;
  let sent = 0;
  let isOver = false;
  const waiting = [];
  const done = (client, status, body) => {
    const gotMs = Date.now();
    latenciesMs.push(performance.now() - client.sentAt);
    if (status !== 200) failures.push(`${status} ${body.slice(0, 200)}`);
    else {
      const answer = JSON.parse(body);
      const version = Number(answer.model_version);
      const added = client.model.adds ?? version;
      const isRight =
        client.model.unchecked || answer.outputs[0].data.slice(0, 4).every((y, i) => y === X[i] + added);
      if (!isRight) wrong += 1;
      if (keepsAnswers) answers.push(client.sentMs, gotMs, version);
    }
    if (isOver || client.isDead) return;
    if (perSecond === 0) client.send();
    else waiting.push(client);
  };
  const clients = Array.from({ length: connections }, () => new Client(port, models, done));
  await new Promise((resolve) => setTimeout(resolve, 200));
  process.send('began');
  const beganAt = performance.now();
  if (perSecond === 0) for (const client of clients) (client.send(), (sent += 1));
  else waiting.push(...clients);
  process.on('message', (text) => (isOver ||= text === 'stop'));
  await new Promise((resolve) => {
    const timer = setInterval(() => {
      const passed = (performance.now() - beganAt) / 1000;
      if (isOver || passed >= seconds) {
        isOver = true;
        clearInterval(timer);
        resolve();
        return;
      }
      if (perSecond === 0) return;
      // What came due since the last look; late ones are sent late, not left out.
      while (sent < passed * perSecond && waiting.length > 0) {
        waiting.shift().send();
        sent += 1;
      }
    }, 1);
  });
  const tookSeconds = (performance.now() - beganAt) / 1000;
  for (let i = 0; i < 100 && clients.some((client) => client.busy); i += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
  const unanswered = clients.filter((client) => client.busy).length;
  for (const client of clients) client.socket.destroy();
  return {
    answers,
    latenciesMs,
    failures: failures.slice(0, 20),
    failed: failures.length,
    wrong,
    unanswered,
    tookSeconds,
  };
}

process.once('message', (order) => {
  void run(order).then((result) => process.send(result, () => process.exit(0)));
});
