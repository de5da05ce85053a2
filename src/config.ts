/**
 * The only reader of settings and environment. A flag beats a SLUICE_* variable, which beats the settings file, which
 * beats the default. Everything wrong is refused at the start, with the name of the setting and where it came from.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { readCpuList } from './core/cpus.js';
import { SluiceError } from './core/errors.js';
import { didYouMean, nearestWord } from './core/nearest.js';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const TRANSPORTS = ['auto', 'uws', 'node'] as const;
const CONTROL_MODES = ['none', 'poll', 'explicit'] as const;
const UNITS: Record<string, number> = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

function wholeNumber(least: number, most: number) {
  const expected = `expected a whole number from ${least} to ${most}`;
  return z.int(expected).min(least, expected).max(most, expected);
}

function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, `expected one of ${words.join(', ')}`);
}

const port = wholeNumber(0, 65535);
const bytes = wholeNumber(1024, 2 ** 31 - 1);
const ms = wholeNumber(1, 3_600_000);
const word = z.string('expected a text').min(1, 'expected a text that is not empty');
const yesNo = z.boolean('expected true or false');

const settingsSchema = z.object({
  repository: word.describe('model repository, model folder, folder of .onnx files, or one .onnx file'),
  host: word
    .default('127.0.0.1')
    .describe('address to listen on; one that is not loopback needs keys, or --allow-anonymous'),
  port: port.default(8000).describe('port for inference; 0 takes any free one'),
  adminHost: word
    .default('127.0.0.1')
    .describe('address of the admin listener; one that is not loopback needs keys'),
  adminPort: port.default(8002).describe('port of the admin listener; 0 takes any free one'),
  logLevel: oneOf(LOG_LEVELS)
    .default('info')
    .describe(`how much to log: ${LOG_LEVELS.join(', ')}`),
  keys: word.optional().describe('file of API keys (see "sluice keys"); with it every request needs one'),
  allowAnonymous: yesNo.default(false).describe('serve clients from other machines without any key'),
  allowedHosts: word
    .optional()
    .describe(
      'names, with commas between, that the admin listener may be reached by, and whose pages may open WebSockets',
    ),
  onnxruntime: word
    .optional()
    .describe('libonnxruntime file to load; by default the one of onnxruntime-node'),
  workers: wholeNumber(1, 1024)
    .optional()
    .describe('threads that run models; by default one less than the CPUs that cgroup and affinity allow'),
  workerCpus: word
    .refine((text) => readCpuList(text) !== undefined, 'expected a list of CPUs such as 0-3,6')
    .optional()
    .describe('CPUs that the workers stay on, such as 0-3,6; by default all that the process may use'),
  jsonBodyBytes: bytes.default(16 * 1024 ** 2).describe('largest JSON body'),
  binaryBodyBytes: bytes.default(64 * 1024 ** 2).describe('largest body with binary tensors'),
  wsMessageBytes: bytes.default(16 * 1024 ** 2).describe('largest WebSocket message'),
  wsInFlight: wholeNumber(1, 65_536)
    .default(64)
    .describe('requests without an answer that one WebSocket may have'),
  wsUnreadBytes: bytes
    .default(1024 ** 2)
    .describe('bytes of answers that a WebSocket client may leave unread before it is closed'),
  wsIdleSeconds: wholeNumber(8, 960)
    .default(30)
    .describe('silence of a WebSocket after which the client is given up'),
  wsLifetimeMinutes: wholeNumber(1, 525_600)
    .default(240)
    .describe('age of a WebSocket at which the client is asked to open another'),
  wsSockets: wholeNumber(0, 1_000_000).default(20_000).describe('most WebSockets at once; 0 lets none in'),
  wsOrigins: word
    .optional()
    .describe('origins whose pages may open WebSockets, separated by commas; * for all'),
  transport: oneOf(TRANSPORTS).default('auto').describe('auto, uws (uWebSockets.js) or node (node:http)'),
  drainMs: ms.default(25_000).describe('time for accepted requests to end after SIGTERM'),
  hardStopMs: ms.default(30_000).describe('time after SIGTERM when the process ends in any case'),
  defaultDeadlineMs: ms
    .default(30_000)
    .describe('longest that a request may take; a client may ask for less'),
  inlineBudgetUs: wholeNumber(0, 1_000_000)
    .default(100)
    .describe('a model whose full batch runs within this time may run on the event loop; 0 = none'),
  hungLoopExitMs: wholeNumber(0, 3_600_000)
    .default(30_000)
    .describe('a run that keeps the event loop for so long ends the process with exit code 71; 0 = never'),
  accessLogPercent: wholeNumber(0, 100).default(0).describe('share of requests that get a line in the log'),
  accessLogSlowMs: wholeNumber(0, 3_600_000)
    .default(0)
    .describe('requests that took at least so long get a line in any case; 0 = none'),
  accessLogErrors: yesNo
    .default(false)
    .describe('requests that got an error, or whose client went away, get a line in any case'),
  requestIds: yesNo.default(false).describe('answer with x-request-id: the one that came, or a new one'),
  serverTiming: oneOf(['off', 'asked', 'on'])
    .default('off')
    .describe('Server-Timing on replies: off, asked (by the header Sluice-Timing) or on'),
  tracing: yesNo.default(false).describe('spans for requests that their callers sample (OpenTelemetry API)'),
  tritonMetrics: yesNo.default(false).describe("show the metrics under Triton's names, too"),
  strictReadiness: yesNo
    .default(true)
    .describe('ready only when every model is; otherwise as soon as loading is over'),
  examplePage: yesNo.default(false).describe('serve a page to draw digits on, at /examples/digits/'),
  modelControl: oneOf(CONTROL_MODES)
    .default('none')
    .describe('how the set of models changes: none, poll (follow the repository), explicit (on command)'),
  loadModel: z
    .string('expected names of models, or *')
    .default('')
    .describe('models to load at the start with explicit control, with commas between; * for all'),
  pollIntervalMs: wholeNumber(100, 86_400_000)
    .default(15_000)
    .describe('time between two looks at the repository with poll control'),
  parallelLoads: wholeNumber(1, 64).default(2).describe('versions that load at the same time'),
  strict: yesNo
    .default(false)
    .describe('serve only versions whose manifest.json has the sha256 of every file'),
  verifyInChild: yesNo
    .default(false)
    .describe('the first run of a version happens in a child process, which a broken model may take down'),
  verifyTimeoutMs: ms
    .default(120_000)
    .describe('longest that the first runs of a version may take, in a child process or not'),
  memoryLimitBytes: wholeNumber(1024 ** 2, 2 ** 46)
    .optional()
    .describe('no model is loaded that would take the process over this; by default 90 % of the container'),
  privateDirectory: word
    .optional()
    .describe('folder for private copies of model files while they load; by default in the temporary folder'),
});

/** In a settings file, relative ones count from the file's folder. */
const PATHS: ReadonlySet<string> = new Set(['repository', 'onnxruntime', 'keys', 'privateDirectory']);

export type Settings = z.output<typeof settingsSchema>;
export type SettingName = keyof Settings;

export const SETTING_NAMES = Object.keys(settingsSchema.shape) as SettingName[];

export interface SettingFacts {
  readonly kind: 'text' | 'number' | 'switch';
  readonly help: string;
  readonly defaultValue: string | number | boolean | undefined;
}

/** What the command line needs to offer a setting as a flag. */
export function settingFacts(name: SettingName): SettingFacts {
  const schema = settingsSchema.shape[name];
  const defaultValue = schema instanceof z.ZodDefault ? schema.def.defaultValue : undefined;
  const inner = schema instanceof z.ZodDefault || schema instanceof z.ZodOptional ? schema.unwrap() : schema;
  const kind = inner instanceof z.ZodBoolean ? 'switch' : inner instanceof z.ZodNumber ? 'number' : 'text';
  return { kind, help: schema.description ?? '', defaultValue };
}

/** `adminPort` -> `admin-port`. */
export function flagName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `adminPort` -> `SLUICE_ADMIN_PORT`. */
export function variableName(name: string): string {
  return `SLUICE_${flagName(name).replace(/-/g, '_').toUpperCase()}`;
}

interface Given {
  readonly value: unknown;
  /** For messages: where the value came from. */
  readonly source: string;
}

type GivenSettings = Map<SettingName, Given>;

function invalid(message: string): SluiceError {
  return new SluiceError('CONFIG_INVALID', message);
}

function isSetting(name: string): name is SettingName {
  return Object.hasOwn(settingsSchema.shape, name);
}

/** Text from a flag or a variable, as the kind of value that the setting has. What does not fit stays text, and is refused later. */
function fromText(name: SettingName, text: string): unknown {
  const { kind } = settingFacts(name);
  if (kind === 'switch')
    return { true: true, '1': true, false: false, '0': false }[text.toLowerCase()] ?? text;
  if (kind === 'text') return text;
  const [, digits, unit] = /^(\d{1,15})(KiB|MiB|GiB)?$/.exec(text) ?? [];
  return digits === undefined ? text : Number(digits) * (UNITS[unit ?? ''] ?? 1);
}

function fromFile(path: string): GivenSettings {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SluiceError('CONFIG_INVALID', `settings file ${path}: cannot be read`, { cause: error });
  }
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  const [problem] = document.errors;
  if (problem !== undefined) throw invalid(`settings file ${path}: ${problem.message.split('\n')[0]}`);
  const given: GivenSettings = new Map();
  if (document.contents === null) return given;
  if (!isMap(document.contents)) throw invalid(`settings file ${path}: expected settings as "name: value"`);
  for (const pair of document.contents.items) {
    const name = isScalar(pair.key) ? String(pair.key.value) : '';
    const line = isScalar(pair.key) ? lineCounter.linePos(pair.key.range?.[0] ?? 0).line : 1;
    const source = `settings file ${path} line ${line}`;
    if (!isSetting(name))
      throw invalid(`${source}: unknown setting "${name}"${didYouMean(name, SETTING_NAMES)}`);
    const value: unknown = document.get(name);
    const isPath = PATHS.has(name);
    const meant = typeof value === 'string' ? fromText(name, value) : value;
    given.set(name, {
      value: isPath && typeof meant === 'string' ? resolve(dirname(path), meant) : meant,
      source,
    });
  }
  return given;
}

/** Kubernetes puts SLUICE_PORT=tcp://... and SLUICE_SERVICE_* into the environment when a service is called sluice. */
function isFromKubernetes(variable: string, text: string): boolean {
  return (
    /^SLUICE_(SERVICE_|PORT_\d)/.test(variable) ||
    (variable === 'SLUICE_PORT' && /^(tcp|udp):\/\//.test(text))
  );
}

function fromEnvironment(environment: NodeJS.ProcessEnv): GivenSettings {
  const names = new Map(SETTING_NAMES.map((name) => [variableName(name), name]));
  const given: GivenSettings = new Map();
  for (const [variable, text = ''] of Object.entries(environment)) {
    if (!variable.startsWith('SLUICE_') || text === '' || isFromKubernetes(variable, text)) continue;
    const name = names.get(variable);
    if (name !== undefined) {
      given.set(name, { value: fromText(name, text), source: variable });
      continue;
    }
    // Other tools may have variables of that prefix; only what looks like a slip of the pen is refused.
    const nearest = nearestWord(variable.slice('SLUICE_'.length), [...names.values(), 'config'], 2);
    if (nearest !== undefined && variable !== 'SLUICE_CONFIG') {
      throw invalid(`environment: unknown variable ${variable} (did you mean ${variableName(nearest)}?)`);
    }
  }
  return given;
}

function fromFlags(flags: Readonly<Record<string, unknown>>): GivenSettings {
  const given: GivenSettings = new Map();
  for (const [name, value] of Object.entries(flags)) {
    if (!isSetting(name) || value === undefined) continue;
    const source = name === 'repository' ? 'the command line' : `--${flagName(name)}`;
    given.set(name, { value: typeof value === 'string' ? fromText(name, value) : value, source });
  }
  return given;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

function checkTogether(settings: Settings): void {
  const hasKeys = settings.keys !== undefined;
  if (hasKeys && settings.allowAnonymous)
    throw invalid(
      'allowAnonymous: expected to be left out where there are keys; with them every request needs one',
    );
  if (!isLoopback(settings.host) && !settings.allowAnonymous && !hasKeys) {
    throw invalid(
      `host ${settings.host}: clients from other machines could use the server without any key; ` +
        'listen on 127.0.0.1, give a file of --keys, or say --allow-anonymous',
    );
  }
  if (!isLoopback(settings.adminHost) && !hasKeys) {
    throw invalid(
      `adminHost ${settings.adminHost}: anybody who reaches it could change what is served; ` +
        'listen on 127.0.0.1, or give a file of --keys',
    );
  }
  if (settings.port !== 0 && settings.port === settings.adminPort) {
    throw invalid(`adminPort: expected another port than port, got ${settings.adminPort} for both`);
  }
  if (settings.hardStopMs < settings.drainMs) {
    throw invalid(`hardStopMs: expected at least drainMs (${settings.drainMs}), got ${settings.hardStopMs}`);
  }
}

/** `flags` are named as settings; `config` names the settings file. */
export function readSettings(
  flags: Readonly<Record<string, unknown>>,
  environment: NodeJS.ProcessEnv,
): Settings {
  const file = flags['config'] ?? environment['SLUICE_CONFIG'];
  const given: GivenSettings = new Map([
    ...(typeof file === 'string' && file !== '' ? fromFile(file) : []),
    ...fromEnvironment(environment),
    ...fromFlags(flags),
  ]);
  if (!given.has('repository')) {
    throw invalid('repository: expected the path of a model repository, for example: sluice serve ./models');
  }
  const values = Object.fromEntries([...given].map(([name, { value }]) => [name, value]));
  const result = settingsSchema.safeParse(values);
  if (!result.success) {
    const [issue] = result.error.issues;
    const name = String(issue?.path[0]);
    const found = isSetting(name) ? given.get(name) : undefined;
    throw invalid(`${name} (${found?.source}): ${issue?.message}, got ${JSON.stringify(found?.value)}`);
  }
  checkTogether(result.data);
  return result.data;
}
