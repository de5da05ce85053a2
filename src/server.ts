/**
 * The only place that builds the parts and joins them, and that knows in which order they start and stop.
 * Start: engine, listeners (live, not ready), models, ready. Stop: not ready, no new connections, drain, last answers, engine,
 * sockets.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Access } from './access/access.js';
import { HostList, listOf } from './access/hosts.js';
import { KeyWatch } from './access/key-watch.js';
import { Canaries } from './canary/canaries.js';
import { canaryPlan } from './canary/plan.js';
import { LOG_LEVELS, type Settings } from './config.js';
import type { RequestHandler } from './core/exchange.js';
import type { ModelEntry, Snapshot, VersionEntry } from './core/snapshot.js';
import type { VersionStats } from './core/version-stats.js';
import { loaderOf } from './engine/loader.js';
import { createEngine } from './engine/addon-engine.js';
import type { Engine, EngineInfo } from './engine/engine.js';
import { Metrics } from './metrics/metrics.js';
import { RequestWatcher } from './metrics/request-watch.js';
import { FrameTraces } from './metrics/frame-traces.js';
import { loadTracer } from './metrics/tracing.js';
import { processMetrics } from './metrics/process-metrics.js';
import { rolloutMetrics, type RolloutFacts } from './metrics/rollout-metrics.js';
import { serverMetrics } from './metrics/server-metrics.js';
import { socketMetrics } from './metrics/socket-metrics.js';
import { FirstRun } from './models/first-run.js';
import { containerLimitBytes, MemoryAdmission } from './models/memory-admission.js';
import { Operations } from './models/operations.js';
import { PrivateFolder } from './models/private-folder.js';
import { findModel, findModels } from './models/repository.js';
import { RandomNumbers } from './routing/hash.js';
import { setSplit, takeOver } from './routing/moves.js';
import { versionOf, type Rollout } from './routing/rollout.js';
import { Rollouts } from './routing/rollouts.js';
import { Routing } from './routing/route-table.js';
import { ModelStore, type StoreLog } from './models/store.js';
import { Admission } from './serving/admission.js';
import { Infer } from './serving/infer.js';
import { WsDoor } from './serving/ws-door.js';
import type { SocketLimits } from './serving/ws-context.js';
import { Metadata } from './serving/metadata.js';
import { OriginRule } from './serving/origin.js';
import { Statistics } from './serving/statistics.js';
import { isFlagged } from './shadow/report.js';
import { shadowPart, shadowRule } from './shadow/rules.js';
import { Shadows } from './shadow/shadows.js';
import { makeAdmin } from './transport/admin/admin.js';
import { logLevelRoutes, type LevelLog } from './transport/admin/log-level.js';
import { repositoryRoutes } from './transport/admin/repository.js';
import { adminPages } from './transport/admin/pages.js';
import { canaryRoutes } from './transport/admin/canary.js';
import { shadowRoutes } from './transport/admin/shadow.js';
import { chooseTransport } from './transport/choose.js';
import { rolloutRoutes } from './transport/admin/rollout-routes.js';
import { admitUpgrade, guarded } from './transport/guard.js';
import { Routes } from './transport/routes.js';
import { readPage, withPage } from './transport/static-page.js';
import { watched } from './transport/watched.js';
import type { Listening, Transport } from './transport/transport.js';

/** Body bytes of all requests inside together. */
const IN_FLIGHT_BYTES = 1024 ** 3;
/** How often an edit of a rollout by hand is looked for. */
const ROLLOUT_LOOK_MS = 1000;
const EXAMPLE_PAGE_PATH = '/examples/digits/';
/** How often new models are told to the WebSockets, and old sockets ended. */
const SOCKETS_LOOK_MS = 500;
/** What a closing handshake may take. */
const SOCKET_ENDING_MS = 2000;
/** How often a stop looks whether its last answers have been read. */
const STOP_LOOK_MS = 5;
const EXTENSIONS = ['binary_tensor_data', 'model_configuration', 'model_repository', 'statistics'];

/** A log that knows its level can be told another one. */
export type ServerLog = StoreLog & { level?: string };

export interface RunningServer {
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly transportName: Transport['name'];
  readonly engineInfo: EngineInfo;
  /** Of the inference listener. */
  readonly examplePagePath: string | undefined;
  models(): Snapshot;
  /** True when every accepted request was answered, and the answer taken, in `drainMs`. Further calls wait for the first. */
  stop(): Promise<boolean>;
}

/** Where tests put something else in the place of a real part. */
export interface ServerParts {
  readonly createEngine?: (settings: Settings) => Engine;
}

export async function startServer(
  settings: Settings,
  log: ServerLog,
  parts: ServerParts = {},
): Promise<RunningServer> {
  const version = packageVersion();
  const keys = settings.keys === undefined ? undefined : new KeyWatch(settings.keys, log);
  const access = keys?.access ?? Access.open();
  const engine = (parts.createEngine ?? engineOf)(settings);
  const privateFolder = new PrivateFolder(settings.privateDirectory);
  const models: ModelStore = new ModelStore(loaderOf(engine), log, {
    control: settings.modelControl,
    loadModels: settings.loadModel.split(',').filter((name) => name !== ''),
    pollMs: settings.pollIntervalMs,
    parallelLoads: settings.parallelLoads,
    needsManifest: settings.strict,
    holdMs: settings.defaultDeadlineMs,
    nextPrivatePath: () => privateFolder.next(),
    keptVersions: (modelName) => rollouts.keptVersions(modelName),
    memory: new MemoryAdmission(settings.memoryLimitBytes ?? containerLimitBytes()),
    firstRunMs: settings.verifyTimeoutMs,
    ...(settings.verifyInChild ? { firstRun: firstRunOf(settings) } : {}),
  });
  const rollouts = new Rollouts({
    models,
    log,
    parts: { shadow: shadowPart, plan: canaryPlan },
    folderOf: async (name) => (await findModel(settings.repository, name))?.directory,
  });
  const routing = new Routing(models, rollouts, new RandomNumbers(randomUUID()));
  const readiness = {
    isStopping: false,
    hidesNames: !access.isOpen,
    isReady: () => models.isReady(settings.strictReadiness),
    isHung: (version: VersionEntry) => version.handle >= 0 && engine.stats(version.handle).isHung,
  };
  const admission = new Admission({
    jsonBodyBytes: settings.jsonBodyBytes,
    binaryBodyBytes: settings.binaryBodyBytes,
    inFlightBytes: IN_FLIGHT_BYTES,
  });
  const shadows = new Shadows({
    engine,
    models,
    rollouts,
    resolve: resolveVersion,
    log,
  });
  const metadata = new Metadata(routing, { version, extensions: EXTENSIONS }, readiness);
  const statsOf = (entry: VersionEntry): VersionStats | undefined =>
    readOpen(entry, (handle) => engine.stats(handle));
  const statistics = new Statistics(routing, statsOf);
  const routes = new Routes(new Infer(engine, routing, admission, shadows), metadata, statistics);
  const sockets = new WsDoor(
    engine,
    admission,
    routing,
    shadows,
    socketLimits(settings, originRule(settings)),
    `sluice ${version}`,
    (head) => admitUpgrade(access, head),
  );
  let transportName: Transport['name'] | undefined;
  const facts = () => ({ version, transportName: transportName ?? '', ...engine.info() });
  const canaries = new Canaries<Rollout>({
    models,
    rollouts,
    resolve: resolveVersion,
    statsOf,
    log,
    moves: { setSplit, promoteTo: takeOver },
    setShadow: (name, shadow) => {
      shadows.setPlanned(name, shadow === undefined ? undefined : shadowRule.parse(shadow));
    },
    shadowFacts: (name, primary, shadow) => shadows.factsBetween(name, primary, shadow),
  });
  const metrics = new Metrics({
    models,
    statsOf,
    statsMarkOf: (entry) => readOpen(entry, (handle) => engine.statsMark(handle)),
    tritonMetrics: settings.tritonMetrics,
    // What other parts have to show is added here.
    sources: [
      serverMetrics(facts, admission),
      socketMetrics(sockets.counts),
      rolloutMetrics(rolloutFacts(models, rollouts, shadows, canaries)),
      processMetrics(),
    ],
  });
  const operations = new Operations((error) => {
    log.error({ err: error }, 'a command on the repository failed inside the server');
  });
  const admin = makeAdmin({
    rows: [
      ...adminPages({ metadata, models, metrics, statsOf }),
      ...repositoryRoutes({ models, operations }),
      ...shadowRoutes({ shadows, models, rollouts }),
      ...canaryRoutes(canaries),
      ...rolloutRoutes(rollouts, models, rollouts.schema),
      ...(log.level === undefined ? [] : logLevelRoutes(log as LevelLog, LOG_LEVELS)),
    ],
    facts: { version },
    access,
    hosts: new HostList([settings.adminHost, ...listOf(settings.allowedHosts)]),
    reportFault: (error) => {
      log.error({ err: error }, 'An admin request failed inside the server');
    },
  });

  const listeners: Listening[] = [];
  let looking: NodeJS.Timeout | undefined;
  const closeAll = (): void => {
    keys?.close();
    canaries.close();
    rollouts.close();
    clearInterval(looking);
    for (const listening of listeners) listening.close();
  };
  try {
    const transport = await chooseTransport(settings.transport, log);
    transportName = transport.name;
    const tracer = settings.tracing ? await loadTracer(log) : undefined;
    if (tracer !== undefined) sockets.traces = new FrameTraces(tracer, metrics.exemplars, sockets.path);
    const watcher = new RequestWatcher(settings, log, tracer, metrics.exemplars);
    const guardedRoutes = guarded(access, routes.needOf, routes.handle);
    const inference = await transport.listen(
      settings.host,
      settings.port,
      watched(watcher.begin, settings.examplePage ? withExamplePage(guardedRoutes) : guardedRoutes),
      sockets,
    );
    listeners.push(inference);
    looking = setInterval(() => {
      sockets.look();
    }, SOCKETS_LOOK_MS);
    looking.unref();
    const adminListening = await transport.listen(settings.adminHost, settings.adminPort, admin.handle);
    listeners.push(adminListening);
    const found = await findModels(settings.repository);
    await rollouts.start(found.models.map((model) => model.name));
    await models.load(settings.repository);
    rollouts.watch(ROLLOUT_LOOK_MS);
    canaries.watch();

    let stopped: Promise<boolean> | undefined;
    const stop = async (): Promise<boolean> => {
      readiness.isStopping = true;
      models.stopFollowing();
      inference.stopListening();
      sockets.drain(settings.drainMs);
      const endMs = performance.now() + settings.drainMs;
      const isAnswered = await admission.drain(settings.drainMs);
      if (!isAnswered) log.warn({ requests: admission.inFlightRequests }, 'stopping with requests inside');
      const isRead = await until(() => inference.unsentReplies() === 0 && sockets.unreadBytes === 0, endMs);
      if (!isRead)
        log.warn({ replies: inference.unsentReplies() }, 'stopping with answers that nobody reads');
      await engine.shutdown();
      closeAll();
      privateFolder.close();
      return isAnswered && isRead;
    };
    return {
      port: inference.port,
      adminHost: settings.adminHost,
      adminPort: adminListening.port,
      transportName: transport.name,
      engineInfo: engine.info(),
      examplePagePath: settings.examplePage ? EXAMPLE_PAGE_PATH : undefined,
      models: () => models.snapshot,
      stop: () => (stopped ??= stop()),
    };
  } catch (error) {
    closeAll();
    models.stopFollowing();
    await engine.shutdown();
    privateFolder.close();
    throw error;
  }
}

/** Whether it became true before `endMs`. */
async function until(isTrue: () => boolean, endMs: number): Promise<boolean> {
  while (!isTrue()) {
    if (performance.now() >= endMs) return false;
    await sleep(STOP_LOOK_MS);
  }
  return true;
}

/** Anybody may see the page; its requests need a key like all others. */
function withExamplePage(next: RequestHandler): RequestHandler {
  const pathOf = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));
  const more = { 'sluice-client.js': pathOf('dist/client/sluice-client.js') };
  return withPage(readPage(EXAMPLE_PAGE_PATH, pathOf('examples/digits-page'), more), next);
}

function firstRunOf(settings: Settings): FirstRun {
  const built = fileURLToPath(new URL('./cli/verify-child.js', import.meta.url));
  // Run from its TypeScript, the server has its built parts elsewhere.
  const path = existsSync(built)
    ? built
    : fileURLToPath(new URL('../dist/cli/verify-child.js', import.meta.url));
  const { onnxruntime, inlineBudgetUs, privateDirectory, strict, verifyTimeoutMs } = settings;
  const engine = { onnxruntimePath: onnxruntime, inlineBudgetUs };
  return new FirstRun(path, { engine, privateDirectory, needsManifest: strict }, verifyTimeoutMs);
}

/** The version that a name in a rollout means: an alias of it, or the version itself. */
function resolveVersion(model: ModelEntry, rollout: Rollout, name: string): VersionEntry | undefined {
  const version = versionOf(rollout, name);
  return version === undefined ? undefined : model.versions.get(version);
}

function rolloutFacts(
  models: ModelStore,
  rollouts: Rollouts,
  shadows: Shadows,
  canaries: Canaries<Rollout>,
): RolloutFacts {
  const loaded = () => [...models.snapshot.models.values()];
  return {
    shadows: () =>
      shadows.list().flatMap((one) => {
        const facts = shadows.factsOf(one);
        if (facts === undefined || one.primary === undefined || one.shadow === undefined) return [];
        const { modelName: model, primary, shadow, rule } = one;
        return [
          {
            model,
            version: primary.version,
            shadow: shadow.version,
            isFlagged: isFlagged(facts, rule),
            facts,
          },
        ];
      }),
    arms: () =>
      loaded().flatMap((model) => {
        const rollout = rollouts.inForce.get(model.name)?.rollout ?? {};
        const shares = new Map<string, number>();
        for (const { to, weight } of rollout.split ?? []) {
          const entry = resolveVersion(model, rollout, to);
          if (entry !== undefined && entry.state !== 'UNLOADED')
            shares.set(entry.version, (shares.get(entry.version) ?? 0) + weight / 100);
        }
        return [...shares].map(([version, share]) => ({ model: model.name, version, share }));
      }),
    plans: () =>
      loaded().flatMap(({ name: model }) => {
        const canary = canaries.of(model);
        return canary === undefined ? [] : [{ model, state: canary.state, step: canary.stepNumber }];
      }),
  };
}

function engineOf(settings: Settings): Engine {
  return createEngine({
    onnxruntimePath: settings.onnxruntime,
    workers: settings.workers,
    workerCpus: settings.workerCpus,
    inlineBudgetUs: settings.inlineBudgetUs,
    defaultDeadlineMs: settings.defaultDeadlineMs,
    hungLoopExitMs: settings.hungLoopExitMs,
  });
}

/** undefined also for a version that goes at this very moment. */
function readOpen<Value>({ handle }: VersionEntry, read: (handle: number) => Value): Value | undefined {
  if (handle < 0) return undefined;
  try {
    return read(handle);
  } catch {
    return undefined;
  }
}

function originRule(settings: Settings): OriginRule {
  const hosts = new HostList([settings.host, ...listOf(settings.allowedHosts)]);
  return new OriginRule(settings.wsOrigins ?? '', (host) => hosts.allows(host));
}

function socketLimits(settings: Settings, origins: OriginRule): SocketLimits {
  return {
    messageBytes: settings.wsMessageBytes,
    inFlight: settings.wsInFlight,
    unreadBytes: settings.wsUnreadBytes,
    idleSeconds: settings.wsIdleSeconds,
    lifetimeMs: settings.wsLifetimeMinutes * 60_000,
    sockets: settings.wsSockets,
    origins,
    drainMs: settings.drainMs,
    endingMs: SOCKET_ENDING_MS,
  };
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
