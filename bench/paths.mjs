/** Where the bench finds its parts and leaves its files; all of it below build/bench but the scripts. */
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const BENCH_BUILD = join(ROOT, 'build', 'bench');
export const GENERATOR = join(ROOT, 'build', 'Release', 'sluice-load');
export const BARE_LOOP = join(BENCH_BUILD, 'ort-loop');
export const MODELS = join(BENCH_BUILD, 'models');
export const UNBATCHED_MODELS = join(BENCH_BUILD, 'models-unbatched');
export const SPLIT_MODELS = join(BENCH_BUILD, 'models-split');
export const REQUEST_FILES = join(BENCH_BUILD, 'requests');
export const RESULTS = join(BENCH_BUILD, 'results');
