/** Starts a process of clients (load-client.mjs) and hears what it saw. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('load-client.mjs', import.meta.url));
const VERSIONED = { inputs: ['INPUT0'], width: 4 };

export function versionedModel(name) {
  return { name, ...VERSIONED };
}

/** `perSecond` 0: as fast as the answers come. `began`: the clients are connected and ask. */
export function startLoad({ port, models, connections, perSecond = 0, seconds, keepsAnswers = false }) {
  const child = fork(SCRIPT, [], { serialization: 'advanced' });
  let sayBegan;
  const began = new Promise((resolve) => (sayBegan = resolve));
  const result = new Promise((resolve, reject) => {
    child.on('message', (told) => (told === 'began' ? sayBegan() : resolve(told)));
    child.once('exit', (code, signal) => reject(new Error(`the clients ended: ${signal ?? code}`)));
  });
  child.send({ port, models, connections, perSecond, seconds, keepsAnswers });
  return { began, result, stop: () => child.send('stop') };
}
