/**
 * What the C++ decoder says to a frame, asked directly: an engine of this process with the models of the server, without a
 * socket between. The routing of a frame to a model is written anew here, so that both sides can be wrong alone.
 */
import { createEngine } from '../../dist/engine/addon-engine.js';
import {
  FRAME_FACT_COUNT,
  FRAME_FACTS,
  FRAME_FLAGS,
  FRAME_KINDS,
  FRAME_TEXTS,
} from '../../dist/engine/frame-facts.js';
import { errorName } from '../../dist/core/errors.js';
import { readSettings } from '../../dist/config.js';
import { startServer } from '../../dist/server.js';

const QUIET = { info() {}, warn() {}, error() {} };
const LOWEST_PRIORITY = 254;

export class MutantOracle {
  waiting = 0;

  /** `numbers`: models by their numbers in the hello of the server that is compared with. */
  static async open(repository, numbers) {
    const oracle = new MutantOracle();
    oracle.numbers = numbers;
    // Its engine leaves names as they are: what they stand for is worked out here.
    const ownEngine = () => Object.assign(createEngine(), { numberFrameModel() {} });
    const parts = { createEngine: () => (oracle.engine = ownEngine()) };
    oracle.server = await startServer(readSettings({ repository, port: 0, adminPort: 0 }, {}), QUIET, parts);
    const { models } = oracle.server.models();
    oracle.versions = new Map([...models].map(([name, model]) => [name, model.versions]));
    return oracle;
  }

  close() {
    return this.server.stop();
  }

  /**
   * { says, code? | id, name?, message?, reply? }: `says` is what stands in the table. An accepted frame's `reply`, or `name` where its
   * run failed, is there once `settled` resolves. Of a bundle that of its one request, with the ids that it cancels, or of what
   * ends the socket; undefined where it has two requests, or cancels its own.
   */
  verdict(bytes) {
    const { engine } = this;
    const message = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    const frames = engine.readFrames(message);
    if (frames < 0) return { says: 'no frame', code: 1007 };
    const all = Array.from({ length: frames }, (_, row) =>
      engine.frameFacts.slice(row * FRAME_FACT_COUNT, (row + 1) * FRAME_FACT_COUNT),
    );
    const ofKind = (kind) => all.filter((facts) => facts[FRAME_FACTS.KIND] === kind);
    const requests = ofKind(FRAME_KINDS.REQUEST);
    const cancels = ofKind(FRAME_KINDS.CANCEL).map((facts) => facts[FRAME_FACTS.ID]);
    const isBreach = ofKind(FRAME_KINDS.OF_SERVER).length > 0;
    const isUndecided = requests.length > 1 || cancels.includes(requests[0]?.[FRAME_FACTS.ID]);
    if (isBreach || isUndecided) {
      for (const facts of requests) engine.bodyDrop(facts[FRAME_FACTS.BODY]);
      return isBreach ? { says: 'of the server', code: 1008 } : undefined;
    }
    const verdict = this.#verdictOf(requests[0] ?? all[0]);
    return frames === 1 ? verdict : Object.assign(verdict, { says: `bundle, ${verdict.says}`, cancels });
  }

  #verdictOf(facts) {
    const { engine } = this;
    const bodyId = facts[FRAME_FACTS.BODY];
    if (facts[FRAME_FACTS.KIND] === FRAME_KINDS.CANCEL) return { says: 'cancel' };
    const id = facts[FRAME_FACTS.ID];
    const mayExpire = facts[FRAME_FACTS.DEADLINE_MS] !== 0;
    const isTimed = (facts[FRAME_FACTS.FLAGS] & FRAME_FLAGS.WANTS_TIMES) !== 0;
    const target = this.#target(bodyId, facts);
    if (typeof target === 'string') {
      engine.bodyDrop(bodyId);
      return { says: target, id, name: target };
    }
    const priority = Math.min(facts[FRAME_FACTS.PRIORITY], LOWEST_PRIORITY);
    const verdict = { says: 'accepted', id, mayExpire, isTimed, name: undefined, reply: undefined };
    const delivered = (status, reply) => {
      this.waiting -= 1;
      if (status === 0) verdict.reply = Buffer.from(reply);
      else verdict.name = errorName(status);
    };
    const ticket = engine.submitBody(target.handle, 0, bodyId, 0, priority, { delivered });
    if (ticket < 0) {
      const name = errorName(-ticket);
      return { says: name, id, name, message: engine.lastErrorText() };
    }
    this.waiting += 1;
    return verdict;
  }

  async settled() {
    while (this.waiting > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  #target(bodyId, facts) {
    const { engine } = this;
    const flags = facts[FRAME_FACTS.FLAGS];
    const number = facts[FRAME_FACTS.MODEL_NUMBER];
    const hasName = (flags & FRAME_FLAGS.HAS_MODEL) !== 0;
    if (hasName && number !== 0) return 'BAD_REQUEST';
    const model = hasName ? engine.frameText(bodyId, FRAME_TEXTS.MODEL) : this.numbers.get(number);
    if (model === undefined) return 'BAD_REQUEST';
    const versions = this.versions.get(model);
    if (versions === undefined) return 'MODEL_NOT_FOUND';
    if ((flags & FRAME_FLAGS.HAS_VERSION) === 0) return [...versions.values()].at(-1);
    return versions.get(engine.frameText(bodyId, FRAME_TEXTS.VERSION)) ?? 'VERSION_NOT_FOUND';
  }
}
