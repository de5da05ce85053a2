/**
 * Loads one version from disk until it could serve: private files, session, completed configuration, warm-up, gates. Keeps
 * nothing: what fails is closed before the error goes on. Runs on the loop; the work itself is the engine's.
 */
import { relative } from 'node:path';
import { SluiceError } from '../core/errors.js';
import type { ModelSignature, ServePlan, StartReport } from '../core/model.js';
import type { ExpectedFile, OpenedModel } from '../core/opening.js';
import type { GoldenReport, VersionEntry, VersionFacts } from '../core/snapshot.js';
import { completeConfig } from './config/complete.js';
import { makeMetadata, makeServePlan, providersOf } from './config/serve-plan.js';
import { tritonJson } from './config/triton-json.js';
import type { FirstRun } from './first-run.js';
import { readGolden } from './golden/cases.js';
import { checkGolden } from './golden/gate.js';
import type { MemoryAdmission } from './memory-admission.js';
import type { LoadOrder } from './load-order.js';
import type { ModelLoader } from './ports.js';
import { findModelFile, type FoundVersion } from './repository.js';
import { FIRST_RUN_LIMIT, TimeLimit, type LimitOptions } from './time-limit.js';
import { digestOf, lookAt, MANIFEST, readManifest, type FolderLook } from './version-folder.js';
import { warmUpBytes } from './warm-up-memory.js';
import { runWarmup } from './warmup-samples.js';

export interface LoadTools {
  readonly loader: ModelLoader;
  /** A path for private copies where nothing is yet. */
  readonly nextPrivatePath: () => string;
  /** Versions without a manifest are refused. */
  readonly needsManifest: boolean;
  /** For whoever records golden answers. */
  readonly skipsGolden?: boolean;
  /** Where none is given, every load fits. */
  readonly memory?: Pick<MemoryAdmission, 'reserve' | 'take'>;
  /** Where it is given, no version loads that did not pass there. */
  readonly firstRun?: Pick<FirstRun, 'run'>;
  /** Of warm-up, its samples and golden answers together. */
  readonly firstRunLimit?: LimitOptions;
}

export interface LoadedVersion {
  readonly handle: number;
  readonly report: StartReport;
  readonly facts: VersionFacts;
  readonly fingerprint: string;
}

export type Progress = (to: 'WARMING' | 'VERIFYING', known: Partial<VersionEntry>) => void;

/** What it takes to open a version. */
export type OpenTools = Pick<LoadTools, 'nextPrivatePath' | 'needsManifest'> & {
  readonly loader: Pick<ModelLoader, 'open'>;
};

async function expectedFiles(
  tools: OpenTools,
  found: FoundVersion,
  directory: string,
): Promise<ExpectedFile[] | undefined> {
  const listed = await readManifest(found.place);
  if (listed === undefined) {
    if (!tools.needsManifest) return undefined;
    throw new SluiceError('MODEL_INVALID', `expected a ${MANIFEST} with the sha256 of every file, got none`);
  }
  const inner = relative(found.place, directory);
  const prefix = inner === '' ? '' : `${inner}/`;
  return listed
    .filter((file) => file.name.startsWith(prefix))
    .map((file) => ({ name: file.name.slice(prefix.length), sha256: file.sha256 }));
}

/** Opens the version as its configuration says; whoever asked closes it. */
export async function openVersion(
  tools: OpenTools,
  { found, read }: Pick<LoadOrder, 'found' | 'read'>,
): Promise<OpenedModel> {
  const { config } = read;
  const file = await findModelFile(found, config.default_model_filename || 'model.onnx');
  const expected = await expectedFiles(tools, found, file.directory);
  if (expected?.length === 0)
    throw new SluiceError('MODEL_INVALID', `${MANIFEST}: expected the sha256 of every file, got none`);
  return tools.loader.open({
    ...file,
    privateDirectory: tools.nextPrivatePath(),
    ...(expected === undefined ? {} : { expected }),
    ...config.runtime,
    intraOpCpus: config.intraOpCpus,
    providers: providersOf(config),
  });
}

async function lookOrRefuse(place: string): Promise<FolderLook> {
  try {
    return await lookAt(place);
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    throw new SluiceError('MODEL_INVALID', 'the folder of the version cannot be read', { cause });
  }
}

/** Golden answers, where the version ships some; throws where it does not give them. */
async function passGates(
  tools: LoadTools,
  order: LoadOrder,
  handle: number,
  plan: ServePlan,
): Promise<GoldenReport | undefined> {
  if (tools.skipsGolden === true) return undefined;
  const golden = await readGolden(order.found.place);
  return golden === undefined ? undefined : checkGolden(tools.loader, handle, plan, golden);
}

/** Measures what runs cost, with batches that fit the memory. */
async function warmUp({ loader, memory }: LoadTools, handle: number, plan: ServePlan): Promise<StartReport> {
  const { least, most } = warmUpBytes(plan);
  const taken = memory?.take(least, most, ' for the warm-up');
  try {
    return await loader.start(handle, plan, Math.max(1, Math.floor((taken?.bytes ?? most) / least)));
  } finally {
    taken?.release();
  }
}

/** Throws where the version cannot serve; then nothing of it is left but a run that does not end. */
export async function loadVersion(
  tools: LoadTools,
  order: LoadOrder,
  progress: Progress,
): Promise<LoadedVersion> {
  const look = await lookOrRefuse(order.found.place);
  const release = tools.memory?.reserve(look.bytes);
  try {
    await tools.firstRun?.run(order);
    return await loadHere(tools, order, look.fingerprint, progress);
  } finally {
    release?.();
  }
}

async function loadHere(
  tools: LoadTools,
  order: LoadOrder,
  fingerprint: string,
  progress: Progress,
): Promise<LoadedVersion> {
  const { found, read, modelName } = order;
  const { loader } = tools;
  const opened = await openVersion(tools, order);
  const limit = new TimeLimit(tools.firstRunLimit ?? FIRST_RUN_LIMIT);
  try {
    const completed = completeConfig(read.config, opened, modelName, read.source);
    const plan: ServePlan = makeServePlan(completed, opened, found.version);
    const metadata: ModelSignature = makeMetadata(plan);
    progress('WARMING', { plan, metadata });
    const report = await limit.within('warm-up', warmUp(tools, opened.handle, plan));
    await limit.within('model_warmup', runWarmup(tools, order, opened.handle, plan));
    progress('VERIFYING', { report });
    const golden = await limit.within('golden answers', passGates(tools, order, opened.handle, plan));
    if ((await lookOrRefuse(found.place)).fingerprint !== fingerprint) {
      throw new SluiceError('MODEL_INVALID', 'the folder of the version changed while it was loaded');
    }
    const facts: VersionFacts = {
      files: opened.files,
      digest: digestOf(opened.files),
      fileBytes: opened.files.reduce((bytes, file) => bytes + file.bytes, 0),
      loadedBytes: opened.loadedBytes,
      config: tritonJson(read, completed),
      golden,
      readyAtMs: Date.now(),
    };
    return { handle: opened.handle, report, facts, fingerprint };
  } catch (error) {
    // The session stays as long as one of its runs does.
    await limit.atMost(loader.close(opened.handle));
    throw error;
  } finally {
    limit.end();
  }
}
