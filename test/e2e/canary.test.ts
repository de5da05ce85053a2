/**
 * Plans on a whole server: one that promotes and one that rolls back while clients ask, a human's word, and plans that
 * cannot be meant.
 */
import t, { type Test } from 'tap';
import { digitsRepository, heldOutPixels } from '../support/digits.js';
import { ask, RawClient, requestBytes } from '../support/raw-http.js';
import { startTestServer } from '../support/running.js';
import { fp32, wireBody } from '../support/v2-wire.js';

interface PlanStatus {
  readonly state: string;
  readonly step: number;
  readonly reason: string;
  readonly log: ReadonlyArray<{ readonly action: string; readonly by: string; readonly reason: string }>;
}

interface RolloutAnswer {
  readonly rollout: {
    readonly aliases?: Record<string, string>;
    readonly split?: ReadonlyArray<{ readonly to: string; readonly weight: number }>;
    readonly plan?: object;
  };
}

class Rig {
  constructor(
    readonly port: number,
    private readonly adminPort: number,
  ) {}

  async admin(method: string, path: string, body?: object): Promise<{ status: number; answer: unknown }> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = { 'content-type': 'application/json' };
    const reply = await ask(this.adminPort, method, `/models/digits${path}`, text, headers);
    if (reply === undefined) throw new Error(`no reply to ${method} ${path}`);
    return { status: reply.status, answer: JSON.parse(reply.body.toString()) };
  }

  async begin(plan: object, more: object = {}): Promise<void> {
    const rollout = { aliases: { stable: '1' }, ...more, plan };
    const { status, answer } = await this.admin('PUT', '/rollout', rollout);
    if (status !== 200) throw new Error(`${status}: ${JSON.stringify(answer)}`);
    await this.plan();
  }

  /** A plan moves on its own: what it has decided is in force a moment later. */
  async until(isSo: () => Promise<boolean>): Promise<boolean> {
    for (let looks = 0; looks < 500; looks += 1) {
      if (await isSo()) return true;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return false;
  }

  async plan(): Promise<PlanStatus> {
    return (await this.admin('GET', '/plan')).answer as PlanStatus;
  }

  async rollout(): Promise<RolloutAnswer['rollout']> {
    return ((await this.admin('GET', '/rollout')).answer as RolloutAnswer).rollout;
  }

  async say(verb: string): Promise<number> {
    return (await this.admin('POST', `/plan/${verb}`, {})).status;
  }

  /** Some clients ask, one request after another each, until the plan has ended. */
  async underClients(clients: number): Promise<{ answers: number; failed: string[]; ended: PlanStatus }> {
    const images = heldOutPixels();
    const failed: string[] = [];
    let isOver = false;
    let answers = 0;
    const client = async (at: number): Promise<void> => {
      const connection = await RawClient.open(this.port);
      for (let turn = at; !isOver; turn += clients) {
        const pixels = images[turn % images.length]!;
        const inputs = [{ name: 'pixels', datatype: 'FP32', shape: [1, 64], bytes: fp32(...pixels) }];
        const { body, headers } = wireBody({ inputs });
        connection.write(requestBytes('POST', '/v2/models/digits/infer', body, headers));
        const reply = await connection.reply();
        answers += 1;
        if (reply?.status !== 200) failed.push(`${reply?.status} ${reply?.body.toString()}`);
        if (reply === undefined) break;
      }
      connection.close();
    };
    const asking = Array.from({ length: clients }, (_, at) => client(at));
    let ended = await this.plan();
    for (let looks = 0; ended.state === 'RUNNING' && looks < 500; looks += 1) {
      await new Promise((resolve) => setTimeout(resolve, 40));
      ended = await this.plan();
    }
    isOver = true;
    await Promise.all(asking);
    return { answers, failed, ended };
  }
}

async function digits(t: Test, factors: readonly number[]): Promise<Rig> {
  const { server } = await startTestServer(t, digitsRepository(t.testdir({}), factors));
  return new Rig(server.port, server.adminPort);
}

const STEPS = [{ shadowPercent: 100 }, { weight: 20 }, { weight: 60 }];
const LIMITS = { disagreement: 0.1, errorRate: 0.1 };

t.test('an equal candidate is promoted step by step, and no client notices', async (t) => {
  const rig = await digits(t, [1, 1]);
  await rig.begin({ candidate: '2', baseline: '1', steps: STEPS, limits: LIMITS, checkSeconds: 0.05 });
  const { answers, failed, ended } = await rig.underClients(4);
  t.comment(`${answers} answers, ${ended.reason}`);
  t.same(failed, []);
  t.equal(ended.state, 'PROMOTED');
  t.same(
    ended.log.map(({ action }) => action),
    ['start', 'advance', 'advance', 'promote'],
  );
  const [, shadow, weight, last] = ended.log;
  t.match(
    shadow?.reason,
    /^step 1 of 3 \(shadow 100 %\): disagreement 0 of \d+ \(0 %\), limit 10 %; .* chance/,
  );
  t.match(weight?.reason, /^step 2 of 3 \(weight 20 %\): error rate 0 of \d+/);
  t.match(last, { by: 'plan', reason: /^step 3 of 3 \(weight 60 %\)/ });
  t.same(await rig.rollout(), { aliases: { stable: '2', previous: '1' } });
  const { answer } = await rig.admin('GET', '/rollout/history?last=9');
  const { changes } = answer as { changes: Array<{ who: string; told: string }> };
  t.match(changes.at(-1), { who: 'plan', told: last?.reason }, 'the audit log has the reason');
});

t.test('a candidate that answers differently is rolled back, and no client notices', async (t) => {
  const rig = await digits(t, [1, -1]);
  await rig.begin(
    { candidate: 'next', baseline: 'stable', steps: STEPS, limits: LIMITS, checkSeconds: 0.05 },
    { aliases: { stable: '1', next: '2' } },
  );
  const { answers, failed, ended } = await rig.underClients(4);
  t.comment(`${answers} answers, ${ended.reason}`);
  t.same(failed, []);
  t.equal(ended.state, 'ROLLED_BACK');
  t.match(
    ended.reason,
    /^step 1 of 3 \(shadow 100 %\): disagreement [1-9]\d* of \d+ .*, limit 10 %; a version within/,
  );
  t.same(await rig.rollout(), { aliases: { stable: '1', next: '2' } });
});

t.test("a human's word is obeyed at once", async (t) => {
  const rig = await digits(t, [1, 1]);
  const plan = {
    candidate: '2',
    baseline: '1',
    steps: [{ weight: 10, minSeconds: 3600 }],
    limits: { errorRate: 0.1 },
    checkSeconds: 0.05,
  };
  const planned = [
    { to: '1', weight: 90 },
    { to: '2', weight: 10 },
  ];
  t.equal((await rig.admin('GET', '/plan')).status, 404, 'without a plan');
  await rig.begin(plan);
  t.match(await rig.plan(), { state: 'RUNNING', step: 1 });
  t.ok(await rig.until(async () => (await rig.rollout()).split !== undefined), 'its first step is taken');
  t.same((await rig.rollout()).split, planned);
  t.equal(await rig.say('resume'), 409, 'a plan that runs cannot go on');
  t.equal(await rig.say('hold'), 200);
  t.match(await rig.plan(), { state: 'HELD', reason: 'Held by hand.' });
  t.equal(await rig.say('resume'), 200);
  t.match(await rig.plan(), { state: 'RUNNING' });

  const arms = [
    { to: '1', weight: 50 },
    { to: '2', weight: 50 },
  ];
  t.equal((await rig.admin('PUT', '/split', { arms })).status, 200);
  t.match(await rig.plan(), { state: 'HELD', reason: /split was changed by hand/ });
  t.same((await rig.rollout()).split, arms, 'the hand is obeyed');
  t.equal(await rig.say('resume'), 200);
  t.same((await rig.rollout()).split, planned, 'the plan goes on where it was');
  t.equal(await rig.say('rollback'), 200);
  t.match(await rig.plan(), { state: 'ROLLED_BACK', log: Array });
  t.same(await rig.rollout(), { aliases: { stable: '1' } });
  for (const verb of ['hold', 'resume', 'promote', 'rollback']) t.equal(await rig.say(verb), 409, verb);

  await rig.begin(plan);
  t.match(await rig.plan(), { state: 'RUNNING' }, 'the same plan may be tried again');
  t.equal(await rig.say('hold'), 200);
  t.equal(await rig.say('promote'), 200, 'a plan that is held, too');
  t.match((await rig.plan()).log.at(-1), { action: 'promote', by: 'anonymous', reason: 'Promoted by hand.' });
  t.same(await rig.rollout(), { aliases: { stable: '2', previous: '1' } });

  await rig.begin(plan);
  t.equal((await rig.admin('PUT', '/rollout', { aliases: { stable: '1' } })).status, 200);
  t.ok(await rig.until(async () => (await rig.plan()).state === 'ENDED'), 'taken out, it has ended');
  t.match(await rig.plan(), { reason: 'The plan was taken out of the rollout.' });
  t.same(await rig.rollout(), { aliases: { stable: '1' } });
});

t.test('a plan that cannot be meant is refused with its place', async (t) => {
  const rig = await digits(t, [1, 1]);
  const plan = { candidate: '2', baseline: '1', steps: [{ weight: 10 }], limits: { errorRate: 0.1 } };
  for (const [broken, message] of [
    [{ limits: {} }, /plan\.limits: expected at least one of errorRate/],
    [{ limits: { errorRate: 2 } }, /plan\.limits\.errorRate: expected a share above 0 and below 1, got 2/],
    [{ steps: [] }, /plan\.steps: expected at least one step/],
    [
      { steps: [{ weight: 10 }, { weight: 101 }] },
      /plan\.steps\[1\]\.weight: expected a number from 0.01 to 100/,
    ],
    [{ steps: [{ weight: 0.125 }] }, /plan\.steps\[0\]\.weight: expected at most two decimals/],
    [
      { steps: [{ weight: 10, shadowPercent: 5 }] },
      /plan\.steps\[0\]: expected either shadowPercent or weight/,
    ],
    [{ steps: [{ shadowPercent: 5 }] }, /plan\.steps\[0\]: expected limits\.disagreement/],
    [{ steps: [{ wieght: 10 }] }, /plan\.steps\[0\]\.?.*wieght/],
    [{ baseline: '2' }, /plan\.candidate: expected another version than baseline/],
    [{ candidate: '9' }, /plan\.candidate: model "digits" has no version 9, it has 1, 2/],
    [
      { baseline: 'stabel' },
      /plan\.baseline: expected a version or one of the aliases, got "stabel".*stable/,
    ],
  ] as const) {
    const rollout = { aliases: { stable: '1' }, plan: { ...plan, ...broken } };
    const { status, answer } = await rig.admin('PUT', '/rollout', rollout);
    t.equal(status, 400, JSON.stringify(broken));
    t.match((answer as { error: string }).error, message);
  }
  t.same(await rig.rollout(), {}, 'nothing has changed');
});
