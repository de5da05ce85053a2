/**
 * The first run of a version in a child process: it loads, warms up and passes its gates there, so that a model which takes
 * the process down takes the child. The server hears one sentence of it. Lives on the loop.
 */
import { fork } from 'node:child_process';
import { SluiceError } from '../core/errors.js';
import type { LoadOrder } from './load-order.js';

export interface FirstRunOrder {
  readonly order: LoadOrder;
  readonly engine: { readonly onnxruntimePath: string | undefined; readonly inlineBudgetUs: number };
  readonly privateDirectory: string | undefined;
  readonly needsManifest: boolean;
}

/** Empty: the version passed. */
export interface FirstRunAnswer {
  readonly error: string;
}

export type FirstRunFacts = Omit<FirstRunOrder, 'order'>;

export class FirstRun {
  constructor(
    /** The program of the child. */
    private readonly scriptPath: string,
    private readonly facts: FirstRunFacts,
    private readonly limitMs: number,
  ) {}

  /** Throws where the version does not pass, or the child ends without a word. */
  run(order: LoadOrder): Promise<void> {
    const child = fork(this.scriptPath, [], {
      // Maps of the configuration cross as they are.
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    return new Promise((resolve, reject) => {
      const refuse = (message: string): void => {
        reject(new SluiceError('MODEL_INVALID', message));
      };
      const timer = setTimeout(() => {
        refuse(`the first run in a child process took more than ${this.limitMs} ms`);
        child.kill('SIGKILL');
      }, this.limitMs);
      child.once('message', (answer: FirstRunAnswer) => {
        if (answer.error === '') resolve();
        else refuse(answer.error);
      });
      child.once('error', (cause) => {
        reject(
          new SluiceError('MODEL_INVALID', 'the child process for the first run cannot be started', {
            cause,
          }),
        );
      });
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        // After an answer this is heard by nobody.
        refuse(`the first run in a child process ended with ${signal ?? `code ${code}`}`);
      });
      const whole: FirstRunOrder = { ...this.facts, order };
      child.send(whole, (error) => {
        if (error !== null) refuse('the child process for the first run ended at once');
      });
    });
  }
}
