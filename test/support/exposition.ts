/**
 * A strict reader of what /metrics writes, made from the two formats' specifications and from nothing of ours: Prometheus
 * text 0.0.4 and OpenMetrics 1.0. Throws at the first line that is not as it must be.
 */
export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly exemplar:
    { readonly labels: Readonly<Record<string, string>>; readonly value: number } | undefined;
}

export interface ReadFamily {
  readonly name: string;
  type: string;
  help: string | undefined;
  unit: string | undefined;
  readonly samples: ReadSample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*/;
const NUMBER = /^(?:[+-]?Inf|NaN|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?=$| )/;
const TYPES = {
  prometheus: ['counter', 'gauge', 'histogram', 'summary', 'untyped'],
  openmetrics: ['counter', 'gauge', 'histogram', 'summary', 'unknown', 'info', 'stateset', 'gaugehistogram'],
};

function numberOf(text: string): number {
  if (/^[+]?Inf$/.test(text)) return Infinity;
  return text === '-Inf' ? -Infinity : Number(text);
}

class Line {
  constructor(
    public rest: string,
    private readonly at: number,
  ) {}

  fail(why: string): never {
    throw new Error(`line ${this.at}: ${why}, at "${this.rest.slice(0, 80)}"`);
  }

  take(pattern: RegExp | string, what: string): string {
    const found =
      typeof pattern === 'string'
        ? this.rest.startsWith(pattern)
          ? pattern
          : undefined
        : pattern.exec(this.rest)?.[0];
    if (found === undefined) this.fail(`expected ${what}`);
    this.rest = this.rest.slice(found.length);
    return found;
  }

  labels(): Record<string, string> {
    const labels: Record<string, string> = {};
    this.take('{', 'a brace');
    while (!this.rest.startsWith('}')) {
      const name = this.take(LABEL_NAME, 'a label name');
      if (Object.hasOwn(labels, name)) this.fail(`label ${name} twice`);
      this.take('="', '="');
      const raw = this.take(/^(?:[^"\\\n]|\\[\\"n])*/, 'a label value');
      this.take('"', 'a closing quote');
      labels[name] = raw.replace(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
      if (!this.rest.startsWith('}')) this.take(',', 'a comma');
    }
    this.take('}', 'a brace');
    return labels;
  }

  number(): number {
    return numberOf(this.take(NUMBER, 'a number'));
  }
}

function suffixesOf(type: string, isOpen: boolean): string[] {
  if (type === 'histogram') return ['_bucket', '_sum', '_count'];
  if (type === 'summary') return ['', '_sum', '_count'];
  return type === 'counter' && isOpen ? ['_total'] : [''];
}

function seriesKey(labels: Readonly<Record<string, string>>, without: string): string {
  return JSON.stringify(
    Object.entries(labels)
      .filter(([name]) => name !== without)
      .sort(),
  );
}

function checkHistogram(family: ReadFamily): void {
  const groups = new Map<string, { buckets: ReadSample[]; sum?: number; count?: number }>();
  for (const sample of family.samples) {
    const key = seriesKey(sample.labels, 'le');
    const group = groups.get(key) ?? { buckets: [] };
    groups.set(key, group);
    if (sample.name.endsWith('_bucket')) group.buckets.push(sample);
    else if (sample.name.endsWith('_sum')) group.sum = sample.value;
    else group.count = sample.value;
  }
  for (const [key, { buckets, sum, count }] of groups) {
    const where = `${family.name} ${key}`;
    let lastBound = -Infinity;
    let lastCount = 0;
    for (const { labels, value, exemplar } of buckets) {
      const bound = numberOf(labels['le'] ?? 'absent');
      if (!(bound > lastBound)) throw new Error(`${where}: bounds do not rise at ${labels['le']}`);
      if (!(value >= lastCount) || !Number.isInteger(value))
        throw new Error(`${where}: counts are not cumulative at ${labels['le']}`);
      if (exemplar !== undefined && !(exemplar.value <= bound && exemplar.value > lastBound))
        throw new Error(`${where}: exemplar ${exemplar.value} does not belong to bucket ${labels['le']}`);
      lastBound = bound;
      lastCount = value;
    }
    if (lastBound !== Infinity) throw new Error(`${where}: no +Inf bucket`);
    if (count !== lastCount)
      throw new Error(`${where}: count ${count} is not the last bucket's ${lastCount}`);
    if (sum === undefined || !(sum >= 0)) throw new Error(`${where}: expected a sum, got ${sum}`);
  }
}

export function readExposition(text: string, format: 'prometheus' | 'openmetrics'): Map<string, ReadFamily> {
  const isOpen = format === 'openmetrics';
  const families = new Map<string, ReadFamily>();
  const series = new Set<string>();
  let current: ReadFamily | undefined;
  if (!text.endsWith('\n')) throw new Error('the text does not end with a line feed');
  const lines = text.slice(0, -1).split('\n');
  if (isOpen && lines.pop() !== '# EOF') throw new Error('the text does not end with # EOF');
  for (const [index, content] of lines.entries()) {
    const line = new Line(content, index + 1);
    if (content === '') {
      if (isOpen) line.fail('an empty line');
      continue;
    }
    const meta = /^# (HELP|TYPE|UNIT|EOF)(?: |$)/.exec(content)?.[1];
    if (content.startsWith('#') && meta === undefined) {
      if (isOpen) line.fail('a comment');
      continue;
    }
    if (meta !== undefined) {
      if (meta === 'EOF' || (meta === 'UNIT' && !isOpen)) line.fail(`${meta} is out of place`);
      line.take(`# ${meta} `, meta);
      const name = line.take(NAME, 'a name');
      line.take(' ', 'a space');
      if (current?.name !== name) {
        if (families.has(name)) line.fail(`family ${name} comes twice`);
        current = { name, type: '', help: undefined, unit: undefined, samples: [] };
        families.set(name, current);
      }
      if (current.samples.length > 0) line.fail(`${meta} after samples`);
      if (meta === 'TYPE') {
        if (current.type !== '') line.fail('TYPE twice');
        if (!TYPES[format].includes(line.rest)) line.fail('expected a type');
        current.type = line.rest;
      } else if (meta === 'HELP') {
        if (current.help !== undefined) line.fail('HELP twice');
        if (line.rest.replace(/\\[\\n"]/g, '').includes('\\')) line.fail('a backslash that escapes nothing');
        current.help = line.rest;
      } else {
        if (!name.endsWith(`_${line.rest}`)) line.fail(`expected the name to end in its unit`);
        current.unit = line.rest;
      }
      continue;
    }
    const name = line.take(NAME, 'a metric name');
    const labels = line.rest.startsWith('{') ? line.labels() : {};
    line.take(' ', 'a space');
    const value = line.number();
    let exemplar: ReadSample['exemplar'];
    if (line.rest.startsWith(' # ')) {
      if (!isOpen || !/_(bucket|total)$/.test(name)) line.fail('an exemplar where none may be');
      line.take(' # ', 'an exemplar');
      const exemplarLabels = line.labels();
      if (Object.entries(exemplarLabels).flat().join('').length > 128) line.fail('a long exemplar');
      line.take(' ', 'a space');
      exemplar = { labels: exemplarLabels, value: line.number() };
      if (line.rest !== '') {
        line.take(' ', 'a space');
        line.number();
      }
    }
    if (line.rest !== '') line.fail('expected the end of the line');
    if (current === undefined || current.type === '') line.fail('a sample before its TYPE');
    const family = current as ReadFamily;
    if (!suffixesOf(family.type, isOpen).some((suffix) => name === `${family.name}${suffix}`))
      line.fail(`sample ${name} does not belong to ${family.type} ${family.name}`);
    if (name.endsWith('_bucket') && labels['le'] === undefined) line.fail('a bucket without le');
    if (family.type === 'counter' && !(value >= 0)) line.fail('a counter below zero');
    const key = name + seriesKey(labels, '');
    if (series.has(key)) line.fail('a series twice');
    series.add(key);
    family.samples.push({ name, labels, value, exemplar });
  }
  for (const family of families.values()) if (family.type === 'histogram') checkHistogram(family);
  return families;
}
