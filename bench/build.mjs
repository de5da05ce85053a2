/** Builds what the bench needs and is not built: the product with the generator, the bare loop, and the models that are measured. */
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BENCH_BUILD, MODELS, ROOT, SPLIT_MODELS, UNBATCHED_MODELS } from './paths.mjs';

/** Complete, so that nothing is completed: a model without a scheduler would be given dynamic batching. */
const UNBATCHED_CONFIG = `name: "mid"
platform: "onnxruntime_onnx"
max_batch_size: 64
input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ 512 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 10 ] } ]
`;
/** Two versions of the same weights, so that nothing but the decision differs. */
const ROLLOUT = {
  aliases: { stable: '1', canary: '2' },
  split: [
    { to: 'stable', weight: 90 },
    { to: 'canary', weight: 10 },
  ],
};
const MEASURED_MODELS = ['tiny', 'mid', 'identity_fp32'];

function quietly(file, args) {
  try {
    execFileSync(file, args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const output = `${error.stdout ?? ''}${error.stderr ?? ''}`.trim().slice(-2000);
    throw new Error(`${file} ${args.join(' ')} failed: ${output || error.message}`, { cause: error });
  }
}

function buildProgram(folder) {
  const build = join(BENCH_BUILD, folder);
  quietly('cmake', ['-S', join('bench', folder), '-B', build]);
  quietly('cmake', ['--build', build]);
}

/** The addon, the server and the generator. */
export function buildProduct() {
  quietly(process.execPath, ['scripts/setup.mjs', '--build-only']);
}

export function buildAll() {
  buildProduct();
  buildProgram('baselines');
  quietly(process.execPath, [
    'scripts/make-models.mjs',
    '--only',
    MEASURED_MODELS.join(','),
    '--out',
    MODELS,
  ]);
  // The same model where every request is a run of its own: what batching is worth.
  rmSync(UNBATCHED_MODELS, { recursive: true, force: true });
  cpSync(join(MODELS, 'mid'), join(UNBATCHED_MODELS, 'mid'), { recursive: true });
  writeFileSync(join(UNBATCHED_MODELS, 'mid', 'config.pbtxt'), UNBATCHED_CONFIG);
  const split = join(SPLIT_MODELS, 'tiny');
  rmSync(SPLIT_MODELS, { recursive: true, force: true });
  for (const version of ['1', '2'])
    cpSync(join(MODELS, 'tiny', '1'), join(split, version), { recursive: true });
  writeFileSync(join(split, 'rollout.json'), JSON.stringify(ROLLOUT));
}
