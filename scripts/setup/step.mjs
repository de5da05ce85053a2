// One step of the set-up: its line on the terminal, its time, and the child processes it starts.
// A step that has nothing to do prints nothing. On a terminal the line shows the seconds while it runs.
import { spawn } from 'node:child_process';

/** A failure that a person can mend: shown as one line, without a stack. */
export class SetupError extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.name = 'SetupError';
    this.exitCode = exitCode;
  }
}

const children = new Set();

/** Ends the child processes of the running step; called when the set-up itself is told to stop. */
export function stopChildren(signal) {
  for (const child of children) child.kill(signal);
}

export class Progress {
  constructor({ verbose = false, stream = process.stderr } = {}) {
    this.verbose = verbose;
    this.stream = stream;
    this.done = 0;
    this.startMs = performance.now();
  }

  /** Runs `body` under a line of its own; `body` gets a function that runs commands for the step. */
  async step(title, body) {
    const beganMs = performance.now();
    const live = this.stream.isTTY && !this.verbose;
    const line = `setup: ${title} `;
    let note = '';
    this.stream.write(this.verbose ? `${line}...\n` : `${line}... `);
    const redraw = () => this.stream.write(`\r\x1b[K${line}... ${seconds(beganMs)} ${note}`);
    const ticker = live ? setInterval(redraw, 500) : undefined;
    const say = (text) => (note = text);
    try {
      await body((command, args, options) => this.#run(command, args, options, say));
      this.done += 1;
      this.stream.write(
        `${live ? `\r\x1b[K${line}... ` : this.verbose ? line : ''}done, ${seconds(beganMs)}\n`,
      );
    } catch (error) {
      this.stream.write(
        `${live ? `\r\x1b[K${line}... ` : this.verbose ? line : ''}FAILED, ${seconds(beganMs)}\n`,
      );
      throw error;
    } finally {
      clearInterval(ticker);
    }
  }

  finish() {
    const what = this.done === 0 ? 'everything is up to date' : 'ready';
    this.stream.write(`setup: ${what}, ${seconds(this.startMs)}\n`);
  }

  #run(command, args, options = {}, say) {
    const { failure, mayFail = false, env, cwd } = options;
    return new Promise((resolve, reject) => {
      const child = spawn(command, args, { cwd, env: env ?? process.env, stdio: ['ignore', 'pipe', 'pipe'] });
      children.add(child);
      const chunks = { out: [], err: [], both: [] };
      const take = (kind) => (chunk) => {
        chunks[kind].push(chunk);
        chunks.both.push(chunk);
        if (this.verbose) this.stream.write(chunk);
        const counter = /\[\s*\d+(?:\/\d+|%)\]/.exec(chunk.toString());
        if (counter) say(counter[0]);
      };
      child.stdout.on('data', take('out'));
      child.stderr.on('data', take('err'));
      child.on('error', (error) => reject(new SetupError(`${failure ?? command}: ${error.message}`)));
      child.on('close', (status, signal) => {
        children.delete(child);
        const output = Buffer.concat(chunks.both).toString();
        if (status === 0 || mayFail)
          return resolve({ status, stdout: Buffer.concat(chunks.out).toString(), output });
        const tail = this.verbose ? '' : `\n${lastLines(output, 60)}`;
        const how = signal ? `was ended by ${signal}` : `gave exit code ${status}`;
        reject(new SetupError(`${failure ?? `${command} ${args.join(' ')}`} (${command} ${how})${tail}`));
      });
    });
  }
}

function lastLines(text, count) {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

function seconds(sinceMs) {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}
