// The browser's client as one ES module without imports, dist/client/sluice-client.js: for pages without a bundler, and for
// the measure of its size. The modules are put behind one another in the order of their imports, and what nothing names is
// left out. That works because no two of them use a name on their top level, which is checked.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ROOT } from './stamp.mjs';

const ENTRY = join(ROOT, 'dist/client/browser.js');
export const CLIENT_BUNDLE = 'dist/client/sluice-client.js';

/** Bundles what tsc has built. */
export async function bundleClient() {
  const { default: ts } = await import('typescript');
  // What Node sees the built module export is what the bundle exports.
  const exported = Object.keys(await import(`${ENTRY}?${Date.now()}`)).sort();
  const modules = new Map();
  collect(ts, ENTRY, modules);
  let text = `${[...modules.values()].join('\n')}\nexport { ${exported.join(', ')} };\n`;
  checkNames(ts, text);
  for (let before = ''; before !== text;) {
    before = text;
    text = withoutUnused(ts, text);
  }
  writeFileSync(join(ROOT, CLIENT_BUNDLE), layout(ts, text));
}

function parse(ts, text) {
  return ts.createSourceFile('bundle.js', text, ts.ScriptTarget.ES2022, true);
}

/** Adds a module's text without imports and exports, after those that it imports. */
function collect(ts, file, modules) {
  if (modules.has(file)) return;
  modules.set(file, '');
  const source = parse(ts, readFileSync(file, 'utf8'));
  const parts = [];
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) {
      checkImport(ts, file, statement);
      if (statement.moduleSpecifier) collect(ts, resolveFrom(file, statement.moduleSpecifier.text), modules);
    } else {
      parts.push(statement.getText().replace(/^export\s+/, ''));
    }
  }
  modules.delete(file);
  modules.set(file, parts.join('\n').replace(/\bflatbuffers\.(?=[A-Z])/g, ''));
}

function checkImport(ts, file, statement) {
  const names = (statement.importClause?.namedBindings ?? statement.exportClause)?.elements ?? [];
  const renamed = names.find(({ propertyName }) => propertyName !== undefined);
  if (renamed) throw new Error(`${file}: the bundle knows no renaming: ${renamed.getText()}`);
}

function resolveFrom(file, specifier) {
  if (specifier.startsWith('.')) return join(dirname(file), specifier);
  if (specifier !== 'flatbuffers') throw new Error(`the browser's client may not import ${specifier}`);
  return join(dirname(createRequire(import.meta.url).resolve('flatbuffers')), '../mjs/flatbuffers.js');
}

function namesOf(ts, statement) {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  }
  return statement.name ? [statement.name.text] : [];
}

function checkNames(ts, text) {
  const seen = new Set();
  for (const name of parse(ts, text).statements.flatMap((statement) => namesOf(ts, statement))) {
    if (seen.has(name)) throw new Error(`two modules of the client have a top-level ${name}: rename one`);
    seen.add(name);
  }
}

/** Functions, classes and methods whose name stands nowhere else cannot be called: nothing here makes names at run time. */
function withoutUnused(ts, text) {
  const source = parse(ts, text);
  const counts = new Map();
  const count = (node) => {
    if (ts.isIdentifier(node) || ts.isStringLiteral(node))
      counts.set(node.text, (counts.get(node.text) ?? 0) + 1);
    ts.forEachChild(node, count);
  };
  count(source);
  const isUnused = (node) => node.name && ts.isIdentifier(node.name) && counts.get(node.name.text) === 1;
  const dropped = [];
  for (const statement of source.statements) {
    const isDeclared = ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement);
    if (isDeclared && isUnused(statement)) dropped.push(statement);
    else if (ts.isClassDeclaration(statement) && !isOfOwnApi(statement)) {
      dropped.push(
        ...statement.members.filter((member) => ts.isMethodDeclaration(member) && isUnused(member)),
      );
    }
  }
  return dropped
    .reverse()
    .reduce((rest, node) => rest.slice(0, node.getFullStart()) + rest.slice(node.end), text);
}

/** Their methods are for callers outside. */
function isOfOwnApi({ name }) {
  return ['Client', 'HttpClient', 'InferError'].includes(name.text);
}

/** Without comments and indentation. */
function layout(ts, text) {
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, removeComments: true },
  });
  const lines = outputText.split('\n').map((line) => line.trim());
  const open = lines.find((line) => (line.match(/`/g)?.length ?? 0) % 2 === 1);
  if (open) throw new Error(`a text over several lines would lose its layout: ${open}`);
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}
