/**
 * The requests of one WebSocket that wait for their answers, by the ids that the client chose: a hash table in place of a Map,
 * which is made anew as it fills and empties, and took a fifteenth of the time of a small request. Ids that count up never collide
 * here. Lives on the loop; nothing is allocated before the first request.
 */
interface Identified {
  readonly id: number;
}

const FIRST_SLOTS = 16;

export class InFlight<Item extends Identified> {
  private count = 0;
  /** A power of two of them, at most half of them taken; an item lies at its id's slot or in the next free one behind. */
  private slots: Array<Item | undefined> = [];

  get size(): number {
    return this.count;
  }

  get(id: number): Item | undefined {
    return this.count === 0 ? undefined : this.slots[this.slotOf(id)];
  }

  /** Its id must not be there. */
  add(item: Item): void {
    if (2 * this.count >= this.slots.length) this.grow();
    this.slots[this.slotOf(item.id)] = item;
    this.count += 1;
  }

  /** It must be there. */
  remove(item: Item): void {
    const { slots } = this;
    const mask = slots.length - 1;
    let hole = this.slotOf(item.id);
    // Whoever lies behind the hole because its own slot was taken moves up.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const next = slots[at];
      if (next === undefined) break;
      if (((at - next.id) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = next;
      hole = at;
    }
    slots[hole] = undefined;
    this.count -= 1;
  }

  /** `visit` adds and removes none. */
  forEach(visit: (item: Item) => void): void {
    for (const item of this.slots) if (item !== undefined) visit(item);
  }

  /** Where the id is, or could be put. */
  private slotOf(id: number): number {
    const { slots } = this;
    const mask = slots.length - 1;
    let at = id & mask;
    for (let item = slots[at]; item !== undefined && item.id !== id; item = slots[at]) at = (at + 1) & mask;
    return at;
  }

  private grow(): void {
    const { slots } = this;
    const length = slots.length === 0 ? FIRST_SLOTS : 2 * slots.length;
    this.slots = new Array<Item | undefined>(length).fill(undefined);
    for (const item of slots) if (item !== undefined) this.slots[this.slotOf(item.id)] = item;
  }
}
