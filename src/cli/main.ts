#!/usr/bin/env node
/** The command `sluice`: one file per verb beside this one. Errors become one line on stderr and an exit code. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { SluiceError } from '../core/errors.js';
import { addBench } from './bench.js';
import { addDoctor } from './doctor.js';
import { CommandEnd, EXIT, exitCodeOf } from './exit-codes.js';
import { addGolden } from './golden.js';
import { addInspect } from './inspect.js';
import { addValidate } from './validate.js';
import { addKeys } from './keys.js';
import { addModels } from './models.js';
import { addRollout, addRoute } from './route.js';
import { addServe } from './serve.js';
import { addShadow } from './shadow.js';

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function makeProgram(): Command {
  const program = new Command('sluice')
    .description(
      'Native inference server for ONNX models: HTTP in, batches in C++, answers in microseconds to milliseconds.',
    )
    .version(packageVersion(), '-v, --version', 'print the version')
    .showHelpAfterError('(add --help for the flags and examples)')
    .configureHelp({ helpWidth: 110 })
    .addHelpText(
      'after',
      `
Examples:
  sluice serve ./models           serve a model repository
  sluice inspect ./model.onnx     what a model takes and gives, and a config.pbtxt for it
  sluice bench http://127.0.0.1:8000 -m digits --rate 1000
  sluice doctor                   what this machine has and lacks, with the command that mends it
  sluice keys new --id web --scopes infer --file keys.json
  sluice models                   what a running server has loaded
  sluice route show               where its requests go`,
    )
    .exitOverride();
  addServe(program);
  addInspect(program);
  addValidate(program);
  addGolden(program);
  addDoctor(program);
  addKeys(program);
  addModels(program);
  addRoute(program);
  addRollout(program);
  addShadow(program);
  addBench(program);
  for (const command of program.commands) {
    command.copyInheritedSettings(program);
    for (const verb of command.commands) verb.copyInheritedSettings(command);
  }
  return program;
}

async function main(): Promise<number> {
  try {
    await makeProgram().parseAsync(process.argv);
    return EXIT.ok;
  } catch (error) {
    // commander has already printed its own errors, and help or version end with its code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(`sluice: ${text}\n`);
    const exitCode = exitCodeOf(error);
    const isExplained = error instanceof CommandEnd || error instanceof SluiceError;
    if (exitCode === EXIT.unexpected && !isExplained && error instanceof Error) {
      process.stderr.write(`${error.stack ?? ''}\n`);
    }
    return exitCode;
  }
}

// Whoever reads the output may have read enough, as `head` does, and a server goes on without a reader.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const exitCode = await main();
// Zero means "go on": a server that started keeps the process alive. Anything else ends it, whatever is still open.
if (exitCode !== EXIT.ok) process.exit(exitCode);
