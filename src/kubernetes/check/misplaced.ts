import { type Field, type Fields, KNOWN_KINDS } from './fields.ts';
import type { FieldPath } from './manifest.ts';

/** Where a field that is unknown at its place belongs, in words; null where nobody can say. */
export function placeFor(kind: string, at: FieldPath, siblings: readonly string[]): string | null {
  const key = String(at.at(-1));
  return (
    explained(kind, at) ??
    alike(key, siblings) ??
    elsewhere(kind, at) ??
    inOtherKind(kind, key) ??
    among(siblings)
  );
}

/** What people write who know other tools, or read about them. */
function explained(kind: string, at: FieldPath): string | null {
  const key = String(at.at(-1));
  if (/^retention/i.test(key) && ['wal', 'data'].includes(String(at.at(-2)))) {
    const place = kind.endsWith('ObjectStore') ? 'spec.retentionPolicy' : 'spec.backup.retentionPolicy';
    return `retention is said once, in \`${place}\`; how long the log stays follows from it`;
  }
  if (at.length === 1 && ['name', 'namespace', 'labels', 'annotations'].includes(key)) {
    return `it belongs in \`metadata.${key}\`: look at the indentation`;
  }
  if (/^schedule$/i.test(key) && kind.endsWith(' Cluster')) {
    return 'a schedule is a resource of its own: write a ScheduledBackup that names this Cluster';
  }
  return null;
}

/** Of those beside it. */
function alike(key: string, siblings: readonly string[]): string | null {
  const lower = key.toLowerCase();
  const found =
    siblings.find((name) => name.toLowerCase() === lower) ??
    siblings.find((name) => lower.length > 3 && distance(name.toLowerCase(), lower) <= 2);
  return found === undefined ? null : `did you mean \`${found}\`?`;
}

/** A field of this name in the same kind, with the one that is nearest to where this stands. */
function elsewhere(kind: string, at: FieldPath): string | null {
  const places = placesOf(kind, String(at.at(-1)));
  const here = at.map(String);
  const [best] = places.sort((a, b) => shared(b, here) - shared(a, here) || a.length - b.length);
  return best === undefined ? null : `it belongs in \`${best.join('.').replaceAll('.[]', '[]')}\``;
}

function inOtherKind(kind: string, key: string): string | null {
  for (const other of Object.keys(KNOWN_KINDS)) {
    const [place] = other === kind ? [] : placesOf(other, key).sort((a, b) => a.length - b.length);
    if (place === undefined) continue;
    return `it belongs in \`${place.join('.').replaceAll('.[]', '[]')}\` of kind ${other.split(' ')[1]}`;
  }
  return null;
}

const MOST_NAMED = 12;

function among(siblings: readonly string[]): string | null {
  return siblings.length > MOST_NAMED ? null : `what there is: ${siblings.join(', ')}`;
}

function placesOf(kind: string, key: string): string[][] {
  const { fields } = KNOWN_KINDS[kind]!;
  return pathsOf(fields, ['spec']).filter((path) => path.at(-1)?.toLowerCase() === key.toLowerCase());
}

function pathsOf(fields: Fields, base: readonly string[]): string[][] {
  return Object.entries(fields).flatMap(([key, field]) => {
    const path = [...base, key];
    return [path, ...innerPaths(field, path)];
  });
}

function innerPaths(field: Field, path: readonly string[]): string[][] {
  if (typeof field === 'string') return [];
  if ('fields' in field) return pathsOf(field.fields, path);
  return 'each' in field ? innerPaths(field.each, [...path, '[]']) : [];
}

/** How many steps from the top two paths have in common. */
function shared(a: readonly string[], b: readonly string[]): number {
  const end = a.findIndex((step, i) => step !== b[i]);
  return end === -1 ? a.length : end;
}

/** Of Levenshtein: how many letters differ. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
