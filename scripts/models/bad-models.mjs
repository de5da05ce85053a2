/**
 * Owns: models that a server must refuse: broken files, and weights missing or outside of the model's folder.
 * `outside/` beside the repository holds the file that the escaping ones try to reach; it is real and of the right
 * size, so that a refusal is due to where it lies.
 */
import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { perceptron } from './networks.mjs';
import { EXTERNAL_FILE, external, externalWeights } from './troublesome.mjs';
import { model, node, value } from './graph-builder.mjs';

const OUTSIDE = 'outside';

function unknownOperator() {
  return model('unknown_operator', {
    inputs: [value('X', 'FP32', ['batch', 4])],
    outputs: [value('Y', 'FP32', ['batch', 4])],
    nodes: [node('NoSuchOperator', ['X'], ['Y'])],
  });
}

/** Every bad model: `write(versionDir, outsideFile)` puts its files into place. */
function badModels() {
  const whole = perceptron('tiny', [64, 64, 10], 1);
  const onlyModel = (bytes) => (dir) => writeFileSync(join(dir, 'model.onnx'), bytes);
  const pointsAt = (location) => onlyModel(external({ location }));
  return [
    { name: 'empty', reason: 'file of 0 bytes', write: onlyModel(Buffer.alloc(0)) },
    {
      name: 'garbage',
      reason: 'text, not ONNX',
      write: onlyModel(Buffer.from('this is not a model\n'.repeat(50))),
    },
    {
      name: 'truncated',
      reason: 'cut in the middle',
      write: onlyModel(whole.subarray(0, whole.length >> 1)),
    },
    { name: 'unknown_operator', reason: 'operator nobody knows', write: onlyModel(unknownOperator()) },
    { name: 'external_missing', reason: 'weights file is not there', write: pointsAt(EXTERNAL_FILE) },
    {
      name: 'external_parent',
      reason: 'weights above the model',
      write: pointsAt(`../../../${OUTSIDE}/${EXTERNAL_FILE}`),
    },
    {
      name: 'external_above_version',
      reason: 'weights in the model folder, above the version',
      write: (dir) => {
        pointsAt(`../${EXTERNAL_FILE}`)(dir);
        writeFileSync(join(dir, '..', EXTERNAL_FILE), externalWeights());
      },
    },
    {
      name: 'external_parent_nested',
      reason: 'weights above the model, by a detour',
      write: (dir) => {
        pointsAt(`inner/../../../../${OUTSIDE}/${EXTERNAL_FILE}`)(dir);
        mkdirSync(join(dir, 'inner'));
      },
    },
    {
      name: 'external_absolute',
      reason: 'absolute path to weights outside',
      write: (dir, outsideFile) => pointsAt(outsideFile)(dir),
    },
    {
      name: 'external_symlink',
      reason: 'weights are a symbolic link to a file outside',
      write: (dir, outsideFile) => {
        pointsAt(EXTERNAL_FILE)(dir);
        symlinkSync(outsideFile, join(dir, EXTERNAL_FILE));
      },
    },
    {
      name: 'external_symlink_folder',
      reason: 'weights lie behind a symbolic link to a folder outside',
      write: (dir, outsideFile) => {
        pointsAt(`linked/${EXTERNAL_FILE}`)(dir);
        symlinkSync(resolve(outsideFile, '..'), join(dir, 'linked'));
      },
    },
    {
      name: 'external_hardlink',
      reason: 'weights are a second name of a file outside',
      write: (dir, outsideFile) => {
        pointsAt(EXTERNAL_FILE)(dir);
        linkSync(outsideFile, join(dir, EXTERNAL_FILE));
      },
    },
    {
      name: 'external_short',
      reason: 'weights file is shorter than the model says',
      write: (dir) => {
        pointsAt(EXTERNAL_FILE)(dir);
        writeFileSync(join(dir, EXTERNAL_FILE), externalWeights().subarray(0, 100));
      },
    },
  ];
}

/**
 * Writes the bad models as a repository at `dir/repository`, and what they reach for at `dir/outside`; both are
 * replaced. Returns `{ repository, models: [{ name, reason }] }`.
 */
export function makeBadModels(dir) {
  const repository = resolve(dir, 'repository');
  const outside = resolve(dir, OUTSIDE);
  rmSync(repository, { recursive: true, force: true });
  rmSync(outside, { recursive: true, force: true });
  mkdirSync(outside, { recursive: true });
  const outsideFile = join(outside, EXTERNAL_FILE);
  writeFileSync(outsideFile, externalWeights());

  const models = badModels();
  for (const { name, write } of models) {
    const versionDir = join(repository, name, '1');
    mkdirSync(versionDir, { recursive: true });
    write(versionDir, outsideFile);
  }
  return { repository, models: models.map(({ name, reason }) => ({ name, reason })) };
}
