/**
 * `sluice doctor`: what this machine has and lacks for building and serving, one line each, with the command that mends
 * it. Exits with 1 where something needed is missing.
 */
import type { Command } from 'commander';
import { readSettings } from '../config.js';
import { checkMachine, checkTools, type Finding } from './machine-checks.js';
import { addSettingFlags, typedFlags } from './setting-flags.js';
import { CommandEnd, EXIT } from './exit-codes.js';
import { checkEngine, checkTransport } from './part-checks.js';

const EXAMPLES = `
Examples:
  sluice doctor                                      look at everything
  sluice doctor --onnxruntime /opt/ort/lib           would this ONNX Runtime do?
  sluice doctor --json                               for scripts

Lines say ok, note (works, but less well) or MISSING (with the command that mends it).
Exit codes: 0 everything needed is there, 1 something is missing, 2 wrong usage or settings.`;

function line({ state, what, found, mend }: Finding, width: number): string {
  const label = { ok: 'ok     ', note: 'note   ', missing: 'MISSING' }[state];
  return `${label}  ${what.padEnd(width)}  ${found}${mend === undefined ? '' : `  ->  ${mend}`}`;
}

export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .summary('check what this machine has and lacks')
    .description('Checks toolchain, native addon, ONNX Runtime, transport, GPU and limits of this machine.')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: { json?: boolean }, self: Command) => {
      const settings = readSettings({ ...typedFlags(self), repository: '.' }, process.env);
      const findings = [
        ...(await checkTools()),
        ...checkEngine(settings.onnxruntime),
        await checkTransport(),
        ...(await checkMachine()),
      ];
      const width = Math.max(...findings.map(({ what }) => what.length));
      const text = findings.map((finding) => line(finding, width)).join('\n');
      process.stdout.write(
        options.json === true ? `${JSON.stringify(findings, undefined, 2)}\n` : `${text}\n`,
      );
      const missing = findings.filter(({ state }) => state === 'missing');
      if (missing.length === 0) return;
      throw new CommandEnd(EXIT.unexpected, `missing: ${missing.map(({ what }) => what).join(', ')}`);
    });
  addSettingFlags(command, ['onnxruntime']);
}
