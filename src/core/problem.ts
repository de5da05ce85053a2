/**
 * The first thing that a schema found wrong, as one sentence with its exact place: `rules[0].weight: expected ..., got ...`.
 * Pure; knows the shape of an issue only, not the library that made it.
 */
export interface Issue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

const MAX_SHOWN = 60;

/** `rules[0].weight`; keys that are no words stand in quotes. */
export function placeText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_$][\w$]*$/.test(String(part))) text += text === '' ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part))}]`;
  }
  return text;
}

/** A value as a message may show it: short, on one line. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) return `a ${typeof value}`;
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN - 3)}...` : text;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

/** `what` names the whole, e.g. `body` or `rollout.json`. */
export function problemText(issues: readonly Issue[], value: unknown, what: string): string {
  const [issue] = issues;
  if (issue === undefined) return `${what}: not valid`;
  const place = placeText(issue.path);
  const where = place === '' ? what : `${what}: ${place}`;
  if (issue.code === 'unrecognized_keys') return `${where}: unknown field "${issue.keys?.[0] ?? ''}"`;
  const message = issue.message.replace(/^Invalid input: /, '').replace(/, received .*$/, '');
  const got = valueAt(value, issue.path);
  // A check of how the fields of an object go together has said what is wrong with it.
  if (issue.code === 'custom' && typeof got === 'object') return `${where}: ${message}`;
  return `${where}: ${message}, got ${shown(got)}`;
}
