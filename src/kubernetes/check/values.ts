import { isRecord } from './manifest.ts';

/** What stands at a place; undefined where nothing does, null included. */
export function valueAt(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const step of path) {
    if (Array.isArray(found)) found = found[Number(step)];
    else if (isRecord(found) && Object.hasOwn(found, step)) found = found[step];
    else return undefined;
  }
  return found ?? undefined;
}

/** Null where there is none, or something else, which the fields' own checks report. */
export function textAt(value: unknown, ...path: readonly (string | number)[]): string | null {
  const found = valueAt(value, ...path);
  return typeof found === 'string' ? found : null;
}

export function numberAt(value: unknown, ...path: readonly (string | number)[]): number | null {
  const found = valueAt(value, ...path);
  return typeof found === 'number' ? found : null;
}

export function flagAt(value: unknown, ...path: readonly (string | number)[]): boolean {
  return valueAt(value, ...path) === true;
}

export function recordAt(
  value: unknown,
  ...path: readonly (string | number)[]
): Record<string, unknown> | null {
  const found = valueAt(value, ...path);
  return isRecord(found) ? found : null;
}

export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found : [];
}
