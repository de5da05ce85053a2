// Debian packages without installing them and without root: private lists and caches, the mirror and the key taken from the
// machine's own sources, `apt-get download`, `dpkg-deb -x`. Nothing outside the given folder is written.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './step.mjs';
import { CACHE } from './stamp.mjs';

export function hasApt() {
  return existsSync('/usr/bin/apt-get') && existsSync('/usr/bin/dpkg-deb');
}

/** ID and code name of the machine's release, for instance { id: 'debian', codename: 'bookworm' }. */
export function release(file = '/etc/os-release') {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const field = (name) => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { id: field('ID'), codename: field('VERSION_CODENAME') };
}

/** The entry of the machine's sources that serves `suite`: { uri, components, options }, options in deb822 words. */
export function findSource(suite, root = '/etc/apt') {
  const folder = join(root, 'sources.list.d');
  const inFolder = existsSync(folder) ? readdirSync(folder).sort() : [];
  const files = ['sources.list', ...inFolder.map((name) => join('sources.list.d', name))].map((name) =>
    join(root, name),
  );
  for (const file of files.filter((name) => existsSync(name))) {
    const text = readFileSync(file, 'utf8');
    const entries = file.endsWith('.sources')
      ? parseStanzas(text)
      : file.endsWith('.list')
        ? parseLines(text)
        : [];
    const entry = entries.find(({ suites }) => suites.includes(suite));
    if (entry) return entry;
  }
  return undefined;
}

// deb822: stanzas of `Field: value`, continued by indented lines (an armoured key after Signed-By is such a value).
function parseStanzas(text) {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = {};
    let last;
    for (const line of stanza.split('\n')) {
      if (line.startsWith('#')) continue;
      const match = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
      if (match) fields[(last = match[1].toLowerCase())] = match[2];
      else if (last && /^\s/.test(line)) fields[last] += `\n${line}`;
    }
    const words = (name) => (fields[name] ?? '').split(/\s+/).filter(Boolean);
    if (!words('types').includes('deb') || fields.enabled === 'no' || words('uris').length === 0) return [];
    const options = ['signed-by', 'trusted']
      .filter((name) => fields[name])
      .map((name) => `${name}: ${fields[name]}`);
    return [{ uri: words('uris')[0], suites: words('suites'), components: words('components'), options }];
  });
}

// One-line form: deb [ option=value ... ] uri suite component ...
function parseLines(text) {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    if (!match) return [];
    const given = (match[1] ?? '').split(/\s+/).filter((option) => /^(signed-by|trusted)=/.test(option));
    const options = given.map((option) => option.replace('=', ': '));
    return [
      { uri: match[2], suites: [match[3]], components: match[4].split(/\s+/).filter(Boolean), options },
    ];
  });
}

const updatedSuites = new Set();

/**
 * Unpacks packages of `suite` into `target`. A name that is a RegExp stands for a dependency of the first package.
 * A newer suite is looked for at the mirror that serves the machine's own.
 */
export async function unpackPackages({ suite, names, target, run }) {
  const { codename } = release();
  const source = findSource(suite) ?? findSource(codename);
  if (!source) throw new SetupError(`no apt source of ${codename} on this machine`);
  const apt = new PrivateApt({ folder: join(CACHE, 'apt', suite), suite, source, run });
  if (!updatedSuites.has(suite)) await apt.update();
  updatedSuites.add(suite);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  await apt.unpack(names, target);
}

class PrivateApt {
  constructor({ folder, suite, source, run }) {
    Object.assign(this, { folder, suite, run });
    this.config = join(folder, 'apt.conf');
    for (const part of ['sources', 'lists/partial', 'cache/archives/partial', 'packages']) {
      mkdirSync(join(folder, part), { recursive: true });
    }
    const stanza = [
      'Types: deb',
      `URIs: ${source.uri}`,
      `Suites: ${suite}`,
      `Components: ${source.components.join(' ')}`,
    ];
    writeFileSync(join(folder, 'sources', 'only.sources'), `${[...stanza, ...source.options].join('\n')}\n`);
    writeFileSync(this.config, configText(folder));
  }

  async update() {
    await this.#apt('apt-get', ['update', '-q'], `no package lists of ${this.suite}`);
  }

  async unpack(names, target) {
    const [first, ...rest] = names;
    const dependencies = await this.#dependencies(first);
    const wanted = rest.map((name) => {
      const found =
        typeof name === 'string' ? name : dependencies.find((dependency) => name.test(dependency));
      if (!found) throw new SetupError(`${first} of ${this.suite} has no dependency like ${name}`);
      return found;
    });
    const cwd = join(this.folder, 'packages');
    rmSync(cwd, { recursive: true, force: true });
    mkdirSync(cwd);
    await this.#apt(
      'apt-get',
      ['download', '-q', first, ...wanted],
      `cannot download ${[first, ...wanted].join(', ')}`,
      cwd,
    );
    for (const name of readdirSync(cwd)) {
      await this.run('dpkg-deb', ['-x', join(cwd, name), target], { failure: `cannot unpack ${name}` });
    }
    rmSync(cwd, { recursive: true });
  }

  async #dependencies(name) {
    const { stdout } = await this.#apt(
      'apt-cache',
      ['show', '--no-all-versions', name],
      `${this.suite} has no package ${name}`,
    );
    const line = /^Depends: (.*)$/m.exec(stdout)?.[1] ?? '';
    return line.split(',').map((part) => part.trim().split(/[\s(:]/)[0]);
  }

  #apt(command, args, failure, cwd = this.folder) {
    const env = { ...process.env, LC_ALL: 'C.UTF-8' };
    return this.run(command, ['-c', this.config, ...args], { failure, cwd, env });
  }
}

// Hooks of the machine are cleared: they tidy the system's caches and fail without root. The sandbox user may not be able
// to write below this folder, so root stays root.
function configText(folder) {
  const lines = [
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    'Dir::Etc::sourcelist "/dev/null";',
    `Dir::Etc::sourceparts "${join(folder, 'sources')}";`,
    `Dir::State::lists "${join(folder, 'lists')}";`,
    `Dir::Cache "${join(folder, 'cache')}";`,
    'Acquire::Languages "none";',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";',
    'Acquire::Retries "3";',
  ];
  if (process.getuid?.() === 0) lines.push('APT::Sandbox::User "root";');
  return `${lines.join('\n')}\n`;
}
