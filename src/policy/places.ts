import type { RegionPolicy } from '../core/region-policy.ts';

/** Where the regions of a policy keep what they have, as far as their addresses say. Nothing is opened here. */

interface Place {
  /** Disk or service and bucket. */
  readonly root: string;
  readonly path: readonly string[];
}

/** Two regions that share a place, or of which one is inside the other, in words. */
export function findOverlaps({ primary, replicas, archive }: RegionPolicy): string[] {
  const regions = [primary, ...replicas, ...(archive === null ? [] : [archive])];
  const places = regions.map(({ region, storage }) => ({ region, storage, place: placeOf(storage) }));
  return places.flatMap((outer, i) =>
    places.slice(i + 1).flatMap((inner) => {
      const words = relate(outer.place, inner.place);
      return words === null ? [] : [`the storage of ${inner.region} ${words} that of ${outer.region}`];
    }),
  );
}

function relate(a: Place, b: Place): string | null {
  if (a.root !== b.root) return null;
  const shared = Math.min(a.path.length, b.path.length);
  for (let i = 0; i < shared; i += 1) if (a.path[i] !== b.path[i]) return null;
  if (a.path.length === b.path.length) return 'is the same as';
  return a.path.length < b.path.length ? 'is inside' : 'holds';
}

/** Buckets of one name at two services are two places; a storage class makes no other place. */
function placeOf(address: string): Place {
  const [, scheme = 'file', rest = address] = /^([a-z][a-z0-9+.-]+):(.*)$/is.exec(address) ?? [];
  const [path = '', query = ''] = splitOnce(rest, '?');
  if (scheme.toLowerCase() === 'file') return { root: 'file', path: segmentsOf(path) };
  const [bucket = '', ...prefix] = segmentsOf(path);
  const endpoint = new URLSearchParams(query).get('endpoint') ?? '';
  const kind = scheme.toLowerCase() === 'glacier' ? 's3' : scheme.toLowerCase();
  return { root: JSON.stringify([kind, endpoint, bucket]), path: prefix };
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '' && segment !== '.');
}

function splitOnce(text: string, at: string): [string, string?] {
  const i = text.indexOf(at);
  return i === -1 ? [text] : [text.slice(0, i), text.slice(i + 1)];
}

/** The lock that a storage address asks for: `?lock=governance&lockDays=30`. */
export function readLock(address: string): { readonly mode: string; readonly days: number } | null {
  const [, query] = splitOnce(address, '?');
  const parameters = new URLSearchParams(query ?? '');
  const [mode, days] = [parameters.get('lock'), Number(parameters.get('lockDays'))];
  return mode === null || !Number.isSafeInteger(days) || days < 1 ? null : { mode, days };
}
