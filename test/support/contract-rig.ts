/**
 * A transport with the routes of the inference listener and a puppet engine on a free port, and the checks that the
 * contract tests share.
 */
import type { Test } from 'tap';
import type { Snapshot } from '../../src/core/snapshot.js';
import type { SocketDoor } from '../../src/core/socket.js';
import { Admission } from '../../src/serving/admission.js';
import { Infer } from '../../src/serving/infer.js';
import { Metadata } from '../../src/serving/metadata.js';
import { Statistics } from '../../src/serving/statistics.js';
import { chooseTransport } from '../../src/transport/choose.js';
import { Routes } from '../../src/transport/routes.js';
import type { Listening } from '../../src/transport/transport.js';
import { PuppetEngine } from './puppet-engine.js';
import { modelEntry, routingOf, snapshotOf, versionEntry } from './puppet-snapshot.js';
import { ask, type RawReply } from './raw-http.js';

export const INFER = '/v2/models/m/infer';
export const JSON_LIMIT = 200_000;
export const BINARY_LIMIT = 400_000;

export interface Rig {
  readonly port: number;
  readonly engine: PuppetEngine;
  readonly admission: Admission;
  readonly readiness: { isLoaded: boolean; isStopping: boolean; isReady(): boolean };
  readonly models: { snapshot: Snapshot };
  readonly faults: string[];
  readonly listening: Listening;
}

export async function setUp(t: Test, choice: 'uws' | 'node', door?: SocketDoor): Promise<Rig> {
  const faults: string[] = [];
  const log = { warn: () => undefined, error: (_fields: object, message: string) => faults.push(message) };
  const transport = await chooseTransport(choice, log);
  const engine = new PuppetEngine();
  engine.echoes = true;
  const models: { snapshot: Snapshot } = {
    snapshot: snapshotOf(
      modelEntry('m', [versionEntry('m', '1', 11), versionEntry('m', '2', 12), versionEntry('m', '10', 20)]),
      modelEntry('a b', [versionEntry('a b', '1', 30)]),
    ),
  };
  const readiness = {
    isLoaded: true,
    isStopping: false,
    isReady: () => readiness.isLoaded && [...models.snapshot.models.values()].every((model) => model.isReady),
  };
  const admission = new Admission({
    jsonBodyBytes: JSON_LIMIT,
    binaryBodyBytes: BINARY_LIMIT,
    inFlightBytes: 1e9,
  });
  const routing = routingOf(models);
  const metadata = new Metadata(routing, { version: '1.2.3', extensions: ['binary_tensor_data'] }, readiness);
  const statistics = new Statistics(routing, () => undefined);
  const routes = new Routes(new Infer(engine, routing, admission), metadata, statistics);
  const listening = await transport.listen('127.0.0.1', 0, routes.handle, door);
  t.teardown(() => {
    listening.close();
  });
  return { port: listening.port, engine, admission, readiness, models, faults, listening };
}

/** The server lives, and answers right. */
export async function checkAlive(t: Test, { port }: Rig): Promise<void> {
  const body = `{"still":"${Math.random()}"}`;
  const reply = await ask(port, 'POST', INFER, body);
  t.equal(reply?.body.toString(), body, 'a known answer afterwards');
}

export function isError(t: Test, reply: RawReply | undefined, status: number, what: string): void {
  t.equal(reply?.status, status, what);
  t.equal(reply?.headers['content-type'], 'application/json', what);
  const body = JSON.parse(reply?.body.toString() ?? '{}') as Record<string, unknown>;
  t.same(Object.keys(body), ['error'], what);
  t.type(body['error'], 'string', what);
}

/** Looks again on later turns of the loop; sockets end when the kernel says so. Throws where it never is. */
export async function eventually(isTrue: () => boolean): Promise<void> {
  for (let turn = 0; !isTrue(); turn += 1) {
    if (turn === 5000) throw new Error(`expected ${isTrue.toString()} at last`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
