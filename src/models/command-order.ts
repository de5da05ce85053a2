/**
 * In which order changes of the set of models happen: commands on one model one after the other, commands on different
 * models side by side, and loads never more than a few at a time. Lives on the loop.
 */
export class CommandOrder {
  private readonly last = new Map<string, Promise<unknown>>();

  /** Runs `command` when every earlier command on the model has ended, however it ended. */
  run<T>(modelName: string, command: () => Promise<T>): Promise<T> {
    const before = this.last.get(modelName) ?? Promise.resolve();
    const mine = before.then(command, command);
    this.last.set(modelName, mine);
    const forget = (): void => {
      if (this.last.get(modelName) === mine) this.last.delete(modelName);
    };
    mine.then(forget, forget);
    return mine;
  }

  isBusy(modelName: string): boolean {
    return this.last.has(modelName);
  }
}

/** At most `limit` at a time, in the order in which they came. */
export class LoadSlots {
  private free: number;
  private readonly waiting: Array<() => void> = [];

  constructor(limit: number) {
    this.free = limit;
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free += 1;
      else next();
    }
  }
}
