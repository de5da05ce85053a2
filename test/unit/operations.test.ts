/** Commands that run behind an answer already given: how each is told, however it ends. */
import t from 'tap';
import { SluiceError } from '../../src/core/errors.js';
import { Operations } from '../../src/models/operations.js';

const SUBJECT = { kind: 'unload', model: 'm', version: undefined };

t.test('an operation tells how its command ended, also where it never began', async (t) => {
  const faults: unknown[] = [];
  const operations = new Operations(
    (error) => faults.push(error),
    () => 5,
  );
  const refuse = (): never => {
    throw new SluiceError('CONTROL_MODE', 'not in this mode');
  };
  const commands: Array<() => Promise<unknown>> = [
    async () => 'good',
    async () => refuse(),
    () => refuse(),
    () => Promise.reject(new Error('a fault')),
  ];
  const ids = commands.map((command) => operations.start(SUBJECT, command).id);
  t.same(
    operations.all().map(({ state }) => state),
    ['running', 'running', 'running', 'running'],
  );
  await new Promise(setImmediate);
  const told = ids.map((id) => operations.find(id));
  t.match(told, [
    { state: 'done', result: 'good', endedMs: 5 },
    { state: 'failed', error: 'not in this mode' },
    { state: 'failed', error: 'not in this mode' },
    { state: 'failed', error: /internal error/ },
  ]);
  t.equal(faults.length, 1, 'only a fault of ours is reported');
});
