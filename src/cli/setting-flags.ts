/** Every setting as a flag of a command, with its help taken from the settings themselves. */
import { Option, type Command } from 'commander';
import { flagName, settingFacts, variableName, type SettingName } from '../config.js';

function makeOption(name: SettingName): Option {
  const { kind, help, defaultValue } = settingFacts(name);
  const shownDefault = defaultValue === undefined || defaultValue === '' ? '' : `, default ${defaultValue}`;
  const description = `${help} (${variableName(name)}${shownDefault})`;
  if (kind === 'switch')
    return new Option(`--${defaultValue === true ? 'no-' : ''}${flagName(name)}`, description);
  return new Option(`--${flagName(name)} <${kind === 'number' ? 'number' : 'text'}>`, description);
}

export function addSettingFlags(command: Command, names: readonly SettingName[]): void {
  for (const name of names) command.addOption(makeOption(name));
}

/** Only what was really typed: the defaults are settings' own, and a flag would beat the environment. */
export function typedFlags(command: Command): Record<string, unknown> {
  const all = Object.entries(command.opts<Record<string, unknown>>());
  return Object.fromEntries(all.filter(([name]) => command.getOptionValueSource(name) === 'cli'));
}
