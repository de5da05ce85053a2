/**
 * The program of the child process in which a version runs for the first time: takes one order, loads the version with an
 * engine of its own, tells what came of it, and ends. Started by the server, never by people.
 */
import { createEngine } from '../engine/addon-engine.js';
import { loaderOf } from '../engine/loader.js';
import type { FirstRunAnswer, FirstRunOrder } from '../models/first-run.js';
import { clientReason } from '../models/managed-model.js';
import { loadVersion } from '../models/load-version.js';
import { PrivateFolder } from '../models/private-folder.js';
import { NO_LIMIT } from '../models/time-limit.js';

async function run({
  order,
  engine: options,
  privateDirectory,
  needsManifest,
}: FirstRunOrder): Promise<void> {
  const engine = createEngine({ ...options, workers: 1 });
  const privateFolder = new PrivateFolder(privateDirectory);
  try {
    const loader = loaderOf(engine);
    const nextPrivatePath = (): string => privateFolder.next();
    // The server ends a child that takes too long.
    const tools = { loader, nextPrivatePath, needsManifest, firstRunLimit: NO_LIMIT };
    const loaded = await loadVersion(tools, order, () => undefined);
    await loader.close(loaded.handle);
  } finally {
    privateFolder.close();
    await engine.shutdown();
  }
}

function answer(error: string): void {
  const told: FirstRunAnswer = { error };
  process.send?.(told, () => {
    process.exit(0);
  });
}

// The server is gone: nobody waits for the answer.
process.once('disconnect', () => process.exit(1));
process.once('message', (order: FirstRunOrder) => {
  run(order).then(
    () => {
      answer('');
    },
    (error: unknown) => {
      answer(clientReason(error));
    },
  );
});
