/**
 * `sluice serve`: settings, log, server, table, signals. The first SIGTERM or SIGINT drains and exits with 0; a second
 * one, or the hard stop, exits at once with 1.
 */
import type { Command } from 'commander';
import { pino, type Logger } from 'pino';
import { readSettings, SETTING_NAMES, type Settings } from '../config.js';
import type { RunningServer } from '../server.js';
import { CommandEnd, EXIT } from './exit-codes.js';
import { MODEL_TABLE_HEAD, modelTableRows } from './model-table.js';
import { addSettingFlags, typedFlags } from './setting-flags.js';
import { writeTable } from './text-table.js';

const EXAMPLES = `
Examples:
  sluice serve ./models                                  a repository: ./models/<model>/<version>/model.onnx
  sluice serve ./model.onnx --port 0                     one file, on any free port (printed)
  sluice serve ./models --host 0.0.0.0 --keys keys.json  for other machines, with API keys ("sluice keys")
  sluice serve --config sluice.yaml                      settings from a file (YAML or JSON)

Then, for example:
  curl http://127.0.0.1:8000/v2/models/<model>

Flags beat SLUICE_* variables, these beat the settings file. SIGTERM drains and exits with 0.
Exit codes: 0 stopped in order, 1 unexpected, 2 wrong usage or settings, 3 nothing can be served or the port is taken.`;

function urlHost(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

function addresses(settings: Settings, server: RunningServer): string {
  const metrics = `metrics on http://${urlHost(server.adminHost)}:${server.adminPort}/metrics`;
  const inference = `listening on http://${urlHost(settings.host)}:${server.port} (${server.transportName})`;
  const { examplePagePath } = server;
  const page =
    examplePagePath === undefined
      ? ''
      : `page on http://${urlHost(settings.host)}:${server.port}${examplePagePath}\n`;
  return `${metrics}\n${page}${inference}\n`;
}

function countReady(server: RunningServer): number {
  return [...server.models().models.values()].filter((model) => model.defaultVersion !== undefined).length;
}

/** Takes signals from the beginning on: one that comes while models load ends the process, nothing is accepted yet. */
class Signals {
  private server: RunningServer | undefined;
  private isStopping = false;

  constructor(
    private readonly settings: Settings,
    private readonly log: Logger,
  ) {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        this.onSignal(signal);
      });
    }
  }

  watch(server: RunningServer): void {
    this.server = server;
  }

  private onSignal(signal: NodeJS.Signals): void {
    if (this.isStopping) {
      this.log.warn({ signal }, 'second signal: ending at once');
      process.exit(EXIT.unexpected);
    }
    this.isStopping = true;
    if (this.server === undefined) process.exit(EXIT.ok);
    this.log.info({ signal }, 'stopping: no longer ready, accepted requests are answered');
    setTimeout(() => {
      this.log.error({ hardStopMs: this.settings.hardStopMs }, 'hard stop: the drain did not end');
      process.exit(EXIT.unexpected);
    }, this.settings.hardStopMs).unref();
    this.server.stop().then(
      (isDrained) => process.exit(isDrained ? EXIT.ok : EXIT.unexpected),
      (error: unknown) => {
        this.log.error({ err: error }, 'the stop failed');
        process.exit(EXIT.unexpected);
      },
    );
  }
}

async function serve(repository: string | undefined, command: Command): Promise<void> {
  const settings = readSettings({ ...typedFlags(command), repository }, process.env);
  const log = pino({ level: settings.logLevel }, pino.destination({ dest: 2, sync: true }));
  const signals = new Signals(settings, log);
  // Loaded late, so that --help and a wrong setting answer at once.
  const { startServer } = await import('../server.js');
  const server = await startServer(settings, log);
  signals.watch(server);
  writeTable(process.stdout, MODEL_TABLE_HEAD, modelTableRows(server.models()));
  // A set of models that changes may begin empty.
  if (countReady(server) > 0 || settings.modelControl !== 'none') {
    process.stdout.write(addresses(settings, server));
    return;
  }
  await server.stop();
  throw new CommandEnd(EXIT.cannotServe, `nothing to serve: no model of ${settings.repository} is ready`);
}

export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .summary('serve the models of a repository')
    .description('Serves ONNX models over HTTP (V2 / Open Inference Protocol).')
    .argument('[repository]', 'model repository, model folder, folder of .onnx files, or one .onnx file')
    .option('--config <file>', 'settings file, YAML or JSON (SLUICE_CONFIG)')
    .addHelpText('after', EXAMPLES)
    .action((repository: string | undefined, _options: unknown, self: Command) => serve(repository, self));
  addSettingFlags(
    command,
    SETTING_NAMES.filter((name) => name !== 'repository'),
  );
}
