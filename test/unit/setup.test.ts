/**
 * The set-up's decisions: which apt source serves a suite, which tools are missing and what mends it, who holds the lock,
 * what a TAP run counts as. No network, nothing installed.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';

const SCRIPTS = join(import.meta.dirname, '../../scripts');

interface Source {
  readonly uri: string;
  readonly components: string[];
  readonly options: string[];
}
const { findSource } = (await import(join(SCRIPTS, 'setup/apt.mjs'))) as {
  findSource: (suite: string, root: string) => Source | undefined;
};
const { checkNode, mendCommand, missingTools, otherCompiler } = (await import(
  join(SCRIPTS, 'setup/toolchain.mjs')
)) as {
  checkNode: (version: string) => void;
  mendCommand: (packages: string[], machine: { isRoot: boolean; hasApt: boolean }) => string;
  missingTools: (versionOf: (command: string) => number[] | undefined) => { what: string; pkg: string }[];
  otherCompiler: (versionOf: (command: string) => number[] | undefined) => string | undefined;
};
const { takeLock } = (await import(join(SCRIPTS, 'setup/lock.mjs'))) as {
  takeLock: (options: { file: string; say?: (text: string) => void }) => Promise<() => void>;
};
const { TapReader } = (await import(join(SCRIPTS, 'test/tap.mjs'))) as {
  TapReader: new (print: (text: string) => void) => {
    take: (line: string) => void;
    counts: (exitCode: number) => { passed: number; failed: number; skipped: number };
  };
};

function folder(t: { teardown: (body: () => void) => void }, files: Record<string, string> = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'sluice-setup-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

t.test(
  'an apt source in deb822 form is found by its suite, comments and disabled ones are passed over',
  async (t) => {
    const root = folder(t, {
      'sources.list.d/debian.sources': [
        'Types: deb\nEnabled: no\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\n',
        'Types: deb-src\nURIs: http://source.example/debian\nSuites: bookworm\nComponents: main\n',
        'Types: deb deb-src\n# a note\nURIs: http://one.example/debian http://two.example/debian\n' +
          'Suites: bookworm bookworm-updates\nComponents: main contrib\nSigned-By:\n -----BEGIN KEY-----\n .\n abc\n',
      ].join('\n'),
      'sources.list.d/other.sources.disabled':
        'Types: deb\nURIs: http://no.example\nSuites: trixie\nComponents: main\n',
    });
    const source = findSource('bookworm', root);
    t.equal(source?.uri, 'http://one.example/debian');
    t.same(source?.components, ['main', 'contrib']);
    t.same(source?.options, ['signed-by: \n -----BEGIN KEY-----\n .\n abc']);
    t.equal(findSource('trixie', root), undefined);
  },
);

t.test('an apt source in one-line form is found, with its key', async (t) => {
  const root = folder(t, {
    'sources.list': [
      '# deb http://comment.example/debian bookworm main',
      'deb-src http://source.example/debian bookworm main',
      'deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] http://a.example/debian bookworm main non-free # note',
      'deb http://b.example/debian bookworm-updates main',
    ].join('\n'),
  });
  t.same(findSource('bookworm', root), {
    uri: 'http://a.example/debian',
    suites: ['bookworm'],
    components: ['main', 'non-free'],
    options: ['signed-by: /usr/share/keyrings/a.gpg'],
  });
  t.same(findSource('bookworm-updates', root)?.options, []);
});

t.test('missing and outdated tools are named with the package that brings them', async (t) => {
  const cxx = process.env['CXX'];
  delete process.env['CXX'];
  t.teardown(() => {
    if (cxx !== undefined) process.env['CXX'] = cxx;
  });
  const machine = (tools: Record<string, number[]>) =>
    missingTools((command) => tools[command]).map(({ pkg }) => pkg);
  t.same(machine({ 'g++': [12, 2, 0], make: [4, 3], cmake: [3, 20] }), []);
  t.same(machine({ 'clang++': [15, 0], ninja: [1, 11], cmake: [4, 0] }), []);
  t.same(machine({}), ['g++', 'make', 'cmake']);
  t.same(machine({ 'g++': [11, 4, 0], make: [4, 3], cmake: [3, 19, 8] }), ['g++', 'cmake']);

  const compiler = (tools: Record<string, number[]>) => otherCompiler((command) => tools[command]);
  t.equal(compiler({ 'g++': [12, 2, 0], 'clang++': [19] }), undefined, "CMake's own choice will do");
  t.equal(
    compiler({ 'g++': [11, 4, 0], 'clang++': [15, 0] }),
    'clang++',
    'an old g++ would be taken before it',
  );
  process.env['CXX'] = 'my-compiler';
  t.equal(compiler({ 'clang++': [15, 0] }), undefined, 'whoever names one has it');
  delete process.env['CXX'];
});

t.test('the command that mends it fits the machine', async (t) => {
  const list = ['g++', 'cmake'];
  const install = 'apt-get install -y g++ cmake';
  t.equal(mendCommand(list, { isRoot: true, hasApt: true }), `run: apt-get update && ${install}`);
  t.equal(mendCommand(list, { isRoot: false, hasApt: true }), `run: sudo apt-get update && sudo ${install}`);
  t.match(mendCommand(list, { isRoot: true, hasApt: false }), 'package manager');
});

t.test('the lowest Node passes, the one below is refused with both versions', async (t) => {
  checkNode('20.17.0');
  checkNode('24.0.0');
  t.throws(() => checkNode('20.16.9'), {
    message: /20\.17 or newer is needed, this is 20\.16\.9/,
    exitCode: 2,
  });
  t.throws(() => checkNode('18.20.0'), { message: /18\.20\.0/, exitCode: 2 });
});

t.test(
  'the lock of a process that is gone is taken over, also when its id lives on in another process',
  async (t) => {
    const gone = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => gone.once('exit', resolve));
    for (const owner of [`${gone.pid} 12345`, `${process.pid} 1`, '', 'no process']) {
      const file = join(folder(t), 'lock');
      writeFileSync(file, owner);
      const release = await takeLock({ file });
      t.match(readFileSync(file, 'utf8'), new RegExp(`^${process.pid} \\d+$`), `after "${owner}"`);
      release();
      t.notOk(existsSync(file));
    }
  },
);

t.test('a held lock is waited for, and the wait is said once', async (t) => {
  const file = join(folder(t), 'lock');
  const release = await takeLock({ file });
  const said: string[] = [];
  let isTaken = false;
  const second = takeLock({
    file,
    say: (text) => {
      said.push(text);
      t.notOk(isTaken);
      setImmediate(release);
    },
  });
  const releaseSecond = await second;
  isTaken = true;
  t.same(said, [`setup: waiting for the set-up that process ${process.pid} is doing`]);
  releaseSecond();
});

t.test('a TAP run counts as its summary says; what broke without a count is one failure', async (t) => {
  const read = (lines: string[], exitCode: number) => {
    let printed = '';
    const reader = new TapReader((text) => (printed += text));
    for (const line of lines) reader.take(line);
    return { ...reader.counts(exitCode), printed };
  };
  const good = ['TAP version 14', 'ok 1 - a.test.ts # time=1500.2ms', '# { total: 3, pass: 2, skip: 1 }'];
  t.same(read(good, 0), { passed: 2, failed: 0, skipped: 1, printed: 'tap: a.test.ts ok, 1.5 s\n' });

  const bad = read(
    [
      '# Subtest: b.test.ts',
      '    ok 1 - fine',
      '    not ok 2 - wrong',
      '      ---',
      '      diff: here',
      '      ...',
      '    1..2',
      'not ok 1 - b.test.ts # time=20ms',
      '# { total: 2, pass: 1, fail: 1 }',
    ],
    1,
  );
  t.match(bad, { passed: 1, failed: 1, skipped: 0 });
  t.match(bad.printed, 'tap: b.test.ts FAILED');
  t.match(bad.printed, '      not ok 2 - wrong\n        ---\n        diff: here\n');
  t.notMatch(bad.printed, 'fine');

  t.match(read(['# { total: 2, pass: 2 }'], 1), { passed: 2, failed: 1 });
  t.match(read(['something went wrong'], 0), { passed: 0, failed: 1, printed: /something went wrong/ });
});
