/**
 * How an engine is set up: what whoever starts it may say, and what the machine decides where they say nothing.
 */
import { availableParallelism } from 'node:os';
import { allowedCpus, cpuQuota, defaultWorkers, fileText, readCpuList } from '../core/cpus.js';
import { SluiceError } from '../core/errors.js';
import type { AddonSettings } from './addon.js';
import { findOnnxruntime } from './onnxruntime.js';

export interface EngineOptions {
  /** `libonnxruntime.so`; found in the npm package or the system when not given. */
  readonly onnxruntimePath?: string | undefined;
  /** Worker threads; default: one less than the CPUs that affinity and cgroup allow, at least one. */
  readonly workers?: number | undefined;
  /** CPUs that the workers stay on, as `0-3,6`; default: all that the process may use. */
  readonly workerCpus?: string | undefined;
  /** Versions whose full batch runs faster than this run on the event loop. */
  readonly inlineBudgetUs?: number | undefined;
  /** Every request is answered within this time; a client may ask for less. */
  readonly defaultDeadlineMs?: number | undefined;
  /** A run that keeps the event loop for so long ends the process with exit code 71; 0 = never. */
  readonly hungLoopExitMs?: number | undefined;
  readonly addonPath?: string | undefined;
}

/** At most, of a loop that has refused requests and has no core of its own: several refusals then share a wake-up. */
const LOOP_REST_US = 2000;
const DEFAULT_INLINE_BUDGET_US = 100;
const DEFAULT_DEADLINE_MS = 30_000;
const DEFAULT_HUNG_LOOP_EXIT_MS = 30_000;

/** Throws where something is said that cannot be. */
export function settingsOf(options: EngineOptions): AddonSettings {
  const workerCpus = options.workerCpus === undefined ? [] : chosenCpus(options.workerCpus);
  const workers = options.workers ?? freeWorkers(workerCpus.length);
  const sharesCore = workers >= Math.floor(Math.min(availableParallelism(), cpuQuota(fileText)));
  return {
    onnxruntimePath: findOnnxruntime(options.onnxruntimePath),
    workers,
    loopRestUs: sharesCore ? LOOP_REST_US : 0,
    workerCpus,
    inlineBudgetUs: options.inlineBudgetUs ?? DEFAULT_INLINE_BUDGET_US,
    defaultDeadlineMs: options.defaultDeadlineMs ?? DEFAULT_DEADLINE_MS,
    hungLoopExitMs: options.hungLoopExitMs ?? DEFAULT_HUNG_LOOP_EXIT_MS,
  };
}

/** Throws for CPUs that the process may not use. */
export function checkAllowedCpus(what: string, cpus: readonly number[]): void {
  const allowed = allowedCpus(fileText);
  const wrong = allowed === undefined ? undefined : cpus.find((cpu) => !allowed.includes(cpu));
  if (wrong === undefined) return;
  const message = `${what}: expected CPUs that the process may use (${allowed?.join(', ')}), got ${wrong}`;
  throw new SluiceError('CONFIG_INVALID', message);
}

function chosenCpus(text: string): number[] {
  const cpus = readCpuList(text);
  if (cpus === undefined)
    throw new SluiceError('CONFIG_INVALID', `workerCpus: expected a list such as 0-3,6, got "${text}"`);
  checkAllowedCpus('workerCpus', cpus);
  return cpus;
}

/** CPUs that are chosen for the workers are theirs alone: the event loop is elsewhere. */
function freeWorkers(chosen: number): number {
  const quota = cpuQuota(fileText);
  const most = defaultWorkers(availableParallelism(), quota);
  return chosen === 0 ? most : Math.max(1, Math.min(chosen, Math.floor(quota)));
}
