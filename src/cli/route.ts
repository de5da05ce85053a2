/**
 * `sluice route` and `sluice rollout`: show and change where the requests of a running server go. Each change is one call of
 * the admin API and prints the sentence that the server answers.
 */
import { readFileSync } from 'node:fs';
import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { addAdminOptions, AdminClient, pathOf, type AdminOptions } from './admin-client.js';
import { CommandEnd, EXIT } from './exit-codes.js';
import { planRow, ROLLOUT_HEAD, rolloutRows, type PlanAnswer, type RolloutAnswer } from './rollout-text.js';
import { writeTable } from './text-table.js';

const ROUTE_EXAMPLES = `
Examples:
  sluice route show                          where the requests of every model go
  sluice route alias digits stable 1         requests that name no version go to version 1
  sluice route split digits stable=90 canary=10
  sluice route split digits --end
  sluice route set digits rollout.json       the whole rollout from a file (- is stdin)
  sluice route rollback digits               end a split, or else go back to the version before`;

const ROLLOUT_EXAMPLES = `
Examples:
  sluice rollout status digits               where requests go, and the newest changes with their reasons
  sluice rollout promote digits              the canary becomes stable and serves everything
  sluice rollout rollback digits`;

interface ChangeRow {
  readonly time: string;
  readonly who: string;
  readonly told: string;
}

function usage(message: string): CommandEnd {
  return new CommandEnd(EXIT.usage, message);
}

function print(answer: RolloutAnswer, options: AdminOptions): void {
  if (options.json === true) process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  else if (answer.told !== undefined) process.stdout.write(`${answer.model}: ${answer.told}\n`);
  else writeTable(process.stdout, ROLLOUT_HEAD, rolloutRows(answer));
}

async function change(
  options: AdminOptions,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<void> {
  const answer = await new AdminClient(options).ask(method, path, body, headers);
  print(answer as unknown as RolloutAnswer, options);
}

async function modelNames(client: AdminClient): Promise<readonly string[]> {
  const { models } = (await client.get('/models')) as unknown as {
    readonly models: ReadonlyArray<{ readonly name: string }>;
  };
  return models.map(({ name }) => name);
}

async function show(model: string | undefined, options: AdminOptions): Promise<void> {
  const client = new AdminClient(options);
  const names = model === undefined ? await modelNames(client) : [model];
  const answers: RolloutAnswer[] = [];
  for (const name of names)
    answers.push((await client.get(pathOf`/models/${name}/rollout`)) as unknown as RolloutAnswer);
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(model === undefined ? answers : answers[0], null, 2)}\n`);
    return;
  }
  writeTable(process.stdout, ROLLOUT_HEAD, answers.flatMap(rolloutRows));
}

async function status(model: string, options: AdminOptions & { readonly last: string }): Promise<void> {
  const client = new AdminClient(options);
  const state = (await client.get(pathOf`/models/${model}/rollout`)) as unknown as RolloutAnswer;
  const { changes } = (await client.get(
    `${pathOf`/models/${model}/rollout/history`}?last=${encodeURIComponent(options.last)}`,
  )) as unknown as { readonly changes: readonly ChangeRow[] };
  // One that has ended has taken itself out, and is told among the changes.
  const plan =
    state.rollout.plan === undefined
      ? undefined
      : ((await client.get(pathOf`/models/${model}/plan`)) as unknown as PlanAnswer);
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ ...state, plan, changes }, null, 2)}\n`);
    return;
  }
  const rows = rolloutRows(state);
  writeTable(process.stdout, ROLLOUT_HEAD, plan === undefined ? rows : [...rows, planRow(model, plan)]);
  if (changes.length === 0) return;
  process.stdout.write('\n');
  writeTable(
    process.stdout,
    ['WHEN', 'WHO', 'WHAT HAPPENED'],
    changes.map(({ time, who, told }) => [time, who, told]),
  );
}

/** `canary=10` */
function parseArm(text: string): { to: string; weight: number } {
  const [, to, weight] = /^([^=]+)=(\d+(?:\.\d+)?)%?$/.exec(text) ?? [];
  if (to === undefined || weight === undefined)
    throw usage(`expected an arm such as canary=10, got ${JSON.stringify(text)}`);
  return { to, weight: Number(weight) };
}

async function split(
  model: string,
  arms: readonly string[],
  options: AdminOptions & { readonly end?: boolean; readonly salt?: string },
): Promise<void> {
  const path = pathOf`/models/${model}/split`;
  if (options.end === true) {
    if (arms.length > 0) throw usage('expected arms or --end, got both');
    return change(options, 'DELETE', path);
  }
  if (arms.length === 0) throw usage('expected arms such as stable=90 canary=10, or --end');
  const salt = options.salt === undefined ? {} : { salt: options.salt };
  return change(options, 'PUT', path, { arms: arms.map(parseArm), ...salt });
}

async function setFromFile(
  model: string,
  file: string,
  options: AdminOptions & { readonly ifMatch?: string },
): Promise<void> {
  let text: string;
  let rollout: unknown;
  try {
    text = file === '-' ? await readAll(process.stdin) : readFileSync(file, 'utf8');
    rollout = JSON.parse(text);
  } catch (error) {
    throw usage(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const headers = options.ifMatch === undefined ? {} : { 'if-match': options.ifMatch };
  return change(options, 'PUT', pathOf`/models/${model}/rollout`, rollout, headers);
}

function alias(
  model: string,
  name: string,
  version: string | undefined,
  options: AdminOptions & { readonly remove?: boolean },
): Promise<void> {
  const path = pathOf`/models/${model}/aliases/${name}`;
  if ((options.remove === true) === (version !== undefined)) throw usage('expected a version, or --remove');
  return options.remove === true
    ? change(options, 'DELETE', path)
    : change(options, 'PUT', path, { version });
}

function addEnds(group: Command, names: ReadonlyArray<'promote' | 'rollback'>): void {
  const summaries = {
    promote: 'the canary becomes stable and serves everything',
    rollback: 'end a split, or else go back to the version before',
  };
  for (const name of names) {
    const command = group.command(name).summary(summaries[name]).argument('<model>');
    addAdminOptions(command).action((model: string, options: AdminOptions) =>
      change(options, 'POST', `${pathOf`/models/${model}`}/${name}`, {}),
    );
  }
}

export function addRoute(program: Command): void {
  const group = program
    .command('route')
    .summary('where requests go: aliases, splits, rules')
    .description('Shows and changes where the requests of a running server go.')
    .addHelpText('after', ROUTE_EXAMPLES);
  addAdminOptions(
    group.command('show').summary('where requests go').argument('[model]', 'default: every model'),
  ).action(show);
  addAdminOptions(
    group
      .command('set')
      .summary('the whole rollout from a file')
      .argument('<model>')
      .argument('<file>', 'rollout as JSON; - is stdin')
      .option('--if-match <etag>', 'only where nobody has changed it since'),
  ).action(setFromFile);
  addAdminOptions(
    group
      .command('alias')
      .summary('move an alias onto a version')
      .argument('<model>')
      .argument('<alias>')
      .argument('[version]', 'a version, or another alias')
      .option('--remove', 'take the alias away'),
  ).action(alias);
  addAdminOptions(
    group
      .command('split')
      .summary('split the requests that name no version')
      .argument('<model>')
      .argument('[arms...]', 'alias or version, "=", percent; they add up to 100')
      .option('--salt <text>', 'another text deals all routing keys anew')
      .option('--end', 'no split any more'),
  ).action(split);
  addEnds(group, ['rollback']);
}

export function addRollout(program: Command): void {
  const group = program
    .command('rollout')
    .summary('where a rollout stands, and how it ends')
    .description('Shows where the rollout of a model stands, and ends it one way or the other.')
    .addHelpText('after', ROLLOUT_EXAMPLES);
  addAdminOptions(
    group
      .command('status')
      .summary('where requests go, and the newest changes')
      .argument('<model>')
      .option('--last <number>', 'how many changes', '10'),
  ).action(status);
  addEnds(group, ['promote', 'rollback']);
}
