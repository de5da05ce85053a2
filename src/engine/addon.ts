/**
 * The shape of the native addon and its loading: the only place that opens the .node file. Compares interface number, data
 * types and errors with ours, and refuses to go on when they differ.
 */
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DATA_TYPES, DATA_TYPE_NAMES } from '../core/data-types.js';
import { ERRORS, SluiceError, errorName, type ErrorName } from '../core/errors.js';
import type { ServePlan, StartReport } from '../core/model.js';
import type { ShadowFacts, ShadowMismatch, ShadowRules } from '../core/shadow.js';
import {
  BUCKETS,
  bucketUpperNs,
  OUTCOMES,
  PROTOCOLS,
  RELEASES,
  STAGES,
  type VersionStats,
} from '../core/version-stats.js';
import type { OpenedModel, OpenOptions } from '../core/opening.js';
import type { EngineInfo } from './engine.js';

const INTERFACE_NUMBER = 12;

/** What both sides must agree on. */
export interface Handshake {
  readonly interfaceNumber: number;
  readonly dataTypes: readonly string[];
  readonly errors: readonly string[];
  readonly stages: readonly string[];
  readonly outcomes: readonly string[];
  readonly releases: readonly string[];
  readonly protocols: readonly string[];
  readonly bucketUpperNs: readonly number[];
}

export interface AddonSettings {
  readonly onnxruntimePath: string;
  readonly workers: number;
  readonly workerCpus: readonly number[];
  readonly inlineBudgetUs: number;
  readonly loopRestUs: number;
  readonly defaultDeadlineMs: number;
  readonly hungLoopExitMs: number;
}

/** What the addon exports once, for the whole life of an engine. */
export interface SharedMemory {
  readonly ring: ArrayBuffer;
  readonly replies: ArrayBuffer;
  readonly frameFacts: ArrayBuffer;
  readonly frameChoices: ArrayBuffer;
  readonly nextShadow: ArrayBuffer;
  readonly times: ArrayBuffer;
}

export interface Addon extends Handshake {
  openEngine(settings: AddonSettings, deliver: () => void): SharedMemory;
  closeEngine(): void;
  info(): Omit<EngineInfo, 'interfaceNumber'>;
  openModel(options: OpenOptions): Promise<OpenedModel>;
  /** `warmUpRows` 0: the plan's `maxBatchRows`. */
  startModel(handle: number, plan: ServePlan, warmUpRows: number): Promise<StartReport>;
  closeModel(handle: number): Promise<void>;
  stats(handle: number): VersionStats;
  statsMark(handle: number): bigint;
  submit(handle: number, headLength: number, body: ArrayBuffer, timeoutMs: number, priority: number): number;
  submitBody(handle: number, headLength: number, bodyId: number, timeoutMs: number, priority: number): number;
  refuseUnread(handle: number, timeoutMs: number): number;
  lastErrorText(): string;
  lastRetryMs(): number;
  flush(chosenFrames: number): number;
  drain(): number;
  takeLong(): ArrayBuffer;
  freeLong(reply: ArrayBuffer): void;
  cancel(ticket: number): void;
  readFrames(message: ArrayBuffer): number;
  frameText(bodyId: number, field: number): string;
  submitFrames(chosenFrames: number): void;
  numberFrameModel(modelName: string, number: number): void;
  bodyOpen(expectedBytes: number): number;
  bodyAppend(bodyId: number, chunk: ArrayBuffer): void;
  bodyDrop(bodyId: number): void;
  openShadow(primary: number, shadow: number, rules: ShadowRules): number;
  closeShadow(shadow: number): Promise<boolean>;
  shadowReport(shadow: number): ShadowFacts;
  shadowMismatches(shadow: number): Promise<ShadowMismatch[]>;
}

/** Where the addon is looked for: what the options say, else the build folder of the package. */
export function addonPath(override?: string): string {
  return override ?? fileURLToPath(new URL('../../build/Release/sluice.node', import.meta.url));
}

/** Opens the addon; throws a SluiceError that names what differs or how to build it. */
export function loadAddon(path: string): Addon {
  if (!existsSync(path)) {
    throw new SluiceError('INTERNAL', `the native addon is not built: expected ${path}; run: npm run setup`);
  }
  let addon: Addon;
  try {
    addon = createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SluiceError(
      'INTERNAL',
      `the native addon at ${path} cannot be opened: ${reason}; run: npm run setup`,
      { cause },
    );
  }
  checkHandshake(addon);
  return addon;
}

/** Both sides must mean the same by every number that crosses the border. */
export function checkHandshake(addon: Handshake): void {
  if (addon.interfaceNumber !== INTERFACE_NUMBER) {
    throw differs('interface number', String(INTERFACE_NUMBER), String(addon.interfaceNumber));
  }
  for (const name of DATA_TYPE_NAMES) {
    const number = DATA_TYPES[name].number;
    if (addon.dataTypes[number] !== name)
      throw differs(`data type ${number}`, name, String(addon.dataTypes[number]));
  }
  for (const name of Object.keys(ERRORS) as ErrorName[]) {
    const number = ERRORS[name].number;
    if (number < 100 && addon.errors[number] !== name)
      throw differs(`error ${number}`, name, String(addon.errors[number]));
  }
  compareList('stages', STAGES, addon.stages);
  compareList('outcomes', OUTCOMES, addon.outcomes);
  compareList('releases', RELEASES, addon.releases);
  compareList('protocols', PROTOCOLS, addon.protocols);
  compareList(
    'bounds of histogram buckets',
    Array.from({ length: BUCKETS }, (_, bucket) => bucketUpperNs(bucket)),
    addon.bucketUpperNs,
  );
}

function compareList(
  what: string,
  ours: ReadonlyArray<string | number>,
  theirs: ReadonlyArray<string | number>,
) {
  const length = Math.max(ours.length, theirs.length);
  for (let at = 0; at < length; at += 1) {
    if (ours[at] !== theirs[at]) throw differs(`${what}: number ${at}`, String(ours[at]), String(theirs[at]));
  }
}

function differs(what: string, ours: string, theirs: string): SluiceError {
  return new SluiceError(
    'INTERNAL',
    `the native addon was built for another version: ${what} is ${ours} in TypeScript and ${theirs} in the addon; run: npm run build`,
  );
}

/** An error that the addon threw or rejected with, in our class; one of ours stays as it is. */
export function fromAddonError(cause: unknown): SluiceError {
  if (cause instanceof SluiceError) return cause;
  const number = cause instanceof Error ? (cause as Error & { number?: number }).number : undefined;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new SluiceError(number === undefined ? 'INTERNAL' : errorName(number), message, { cause });
}
