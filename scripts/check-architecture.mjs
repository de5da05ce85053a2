#!/usr/bin/env node
// Floors, doors and circles in both languages: architecture.mjs has the rules, this applies them to a tree.
// Usage: node scripts/check-architecture.mjs [root]
import { readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NATIVE, NATIVE_GUESTS, TYPESCRIPT } from './architecture.mjs';
import { findCircles } from './check/circles.mjs';
import { isGenerated, listFiles, reportAndExit } from './check/files.mjs';
import { importsOf } from './check/imports.mjs';
import { includesOf } from './check/includes.mjs';

/** { found: lines `file:line: what`, looked: number of files } for the tree at `root`. */
export function checkArchitecture(root) {
  const read = (path) => readFileSync(join(root, path), 'utf8');
  const typescript = listFiles(root, TYPESCRIPT.root).filter((path) => /\.[cm]?tsx?$/.test(path));
  const native = [NATIVE.root, ...NATIVE_GUESTS.map(({ folder }) => folder)]
    .flatMap((folder) => listFiles(root, folder))
    .filter((path) => /\.(cc|cpp|h|hpp|cu|cuh)$/.test(path));
  const found = [...checkTypeScript(typescript, read), ...checkNative(native, read)];
  return { found, looked: typescript.length + native.length };
}

function checkTypeScript(files, read) {
  const known = new Set(files);
  const problems = [];
  const edges = new Map();
  for (const file of files) {
    const from = unitOf(file, TYPESCRIPT);
    if (!isKnownUnit(from, TYPESCRIPT))
      problems.push(`${file}:1: ${from} has no floor in scripts/architecture.mjs`);
    const uses = new Set();
    edges.set(file, uses);
    for (const { specifier, line } of importsOf(read(file))) {
      const place = `${file}:${line}`;
      problems.push(...doorProblems(place, { from, name: specifier, rules: TYPESCRIPT }));
      if (!specifier.startsWith('.')) continue;
      const target = resolveModule(posix.join(posix.dirname(file), specifier), known);
      if (target === undefined) {
        if (!specifier.endsWith('.node')) problems.push(...outsideProblem(place, file, specifier));
        continue;
      }
      if (target !== file) uses.add(target);
      problems.push(...floorProblems(place, { from, to: unitOf(target, TYPESCRIPT), rules: TYPESCRIPT }));
    }
  }
  return [...problems, ...circleProblems(edges)];
}

function checkNative(files, read) {
  const known = new Set(files);
  const problems = [];
  const edges = new Map();
  for (const file of files) {
    const guest = NATIVE_GUESTS.find(({ folder }) => file.startsWith(`${folder}/`));
    const from = guest ? guest.folder : unitOf(file, NATIVE);
    if (!guest && !isKnownUnit(from, NATIVE))
      problems.push(`${file}:1: ${from} has no floor in scripts/architecture.mjs`);
    const node = circleNode(file);
    const uses = edges.get(node) ?? new Set();
    edges.set(node, uses);
    for (const { path, line } of includesOf(read(file))) {
      const place = `${file}:${line}`;
      const target = [posix.join(NATIVE.root, path), posix.join(posix.dirname(file), path)].find((name) =>
        known.has(name),
      );
      if (target === undefined) {
        if (!guest) problems.push(...doorProblems(place, { from, name: path, rules: NATIVE }));
        continue;
      }
      if (circleNode(target) !== node) uses.add(circleNode(target));
      const to = unitOf(target, NATIVE);
      if (isGenerated(target)) problems.push(...doorProblems(place, { from, name: path, rules: NATIVE }));
      if (!guest) problems.push(...floorProblems(place, { from, to, rules: NATIVE }));
      else if (target.startsWith(`${NATIVE.root}/`) && !guest.may.includes(to)) {
        problems.push(
          `${place}: floor: ${guest.folder}/ may use ${guest.may.join(', ')} of ${NATIVE.root}/, not ${to}`,
        );
      }
    }
  }
  return [...problems, ...circleProblems(edges)];
}

function unitOf(file, { root: folder }) {
  return file
    .slice(folder.length + 1)
    .split('/')[0]
    .replace(/\.[^.]+$/, '');
}

function circleNode(file) {
  return NATIVE.pairsAreUnits ? file.replace(/\.[^.]+$/, '') : file;
}

function isKnownUnit(unit, { floors, islands = {} }) {
  return unit in islands || floors.some((floor) => floor.includes(unit));
}

function floorProblems(place, { from, to, rules: { floors, islands = {} } }) {
  if (from === to) return [];
  if (to in islands && islands[to].includes(from)) return [];
  if (from in islands || to in islands)
    return [`${place}: floor: ${from} may not use ${to}, they stand apart`];
  const [above, below] = [from, to].map((unit) => floors.findIndex((floor) => floor.includes(unit)));
  if (above > below) return [];
  return [`${place}: floor: ${from} may not use ${to}, which is ${above === below ? 'beside' : 'above'} it`];
}

function doorProblems(place, { from, name, rules: { doors } }) {
  return doors
    .filter(({ pattern, only }) => pattern.test(name) && !only.includes(from))
    .map(
      ({ what, only }) =>
        `${place}: door: ${from} may not use ${what}, only ${only.join(' and ') || 'nobody'} may`,
    );
}

function outsideProblem(place, file, specifier) {
  const path = posix.join(posix.dirname(file), specifier);
  if (path.startsWith(`${TYPESCRIPT.root}/`)) return [];
  return path === 'package.json' ? [] : [`${place}: floor: ${specifier} lies outside ${TYPESCRIPT.root}/`];
}

function resolveModule(path, known) {
  const bare = path.replace(/\.([cm]?)js$/, '.$1ts');
  return [bare, path, `${path}.ts`, `${path}/index.ts`].find((name) => known.has(name));
}

function circleProblems(edges) {
  return findCircles(edges).map((way) => `${way[0]}: circle: ${way.join(' -> ')}`);
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] === self) {
  reportAndExit('architecture', checkArchitecture(process.argv[2] ?? dirname(dirname(self))));
}
