/** Who gets how much of what several want at once: shares that are fair and leave nothing idle that somebody could use. */

/** Something that only so much can be had of in a second: bytes of a line, seconds of processors, requests. */
export interface Resource {
  readonly name: string;
  /** What it is one of: `server`, `host processor`, … Sums are made by this. */
  readonly kind: string;
  readonly perSecond: number;
}

/** What one unit of work (an event) takes of a resource, by its number. */
export type Demand = readonly (readonly [resource: number, perUnit: number])[];

/** Somebody who works. */
export interface Claim {
  readonly demand: Demand;
  /** What it could do in a second if it were alone. */
  readonly unitsPerSecond: number;
}

export interface Share {
  /** Units in a second. */
  readonly rate: number;
  /** The resource that keeps it from its full rate; null: none does. */
  readonly limit: number | null;
}

/** Limits that are nearer to each other than this part are one. */
const NOTHING = 1e-9;

/**
 * Everyone's rate grows in step, as a part of what it could do alone, until a resource that it needs is used up; the others go
 * on growing. (Max-min fairness, as processors and lines come close to.)
 */
export function shareOut(claims: readonly Claim[], resources: readonly Resource[]): Share[] {
  const shares = claims.map((): Share => ({ rate: 0, limit: null }));
  const wanted = new Map<number, number>();
  for (const claim of claims) addTo(wanted, claim, 1);
  const left = new Map([...wanted.keys()].map((resource) => [resource, resources[resource]!.perSecond]));
  const growing = new Set(claims.keys());
  let part = 0;
  while (growing.size > 0) {
    const { next, used } = nextLimit(left, wanted, part);
    for (const [resource, sum] of wanted) left.set(resource, left.get(resource)! - sum * (next - part));
    part = next;
    for (const index of growing) {
      const claim = claims[index]!;
      const limit = claim.demand.find(([resource, perUnit]) => perUnit > 0 && used.has(resource));
      if (limit === undefined && part < 1) continue;
      shares[index] = { rate: claim.unitsPerSecond * part, limit: limit?.[0] ?? null };
      addTo(wanted, claim, -1);
      growing.delete(index);
    }
    // What rounding leaves of a sum would be taken for somebody who still grows.
    for (const resource of used) wanted.delete(resource);
  }
  return shares;
}

/** The part of their full rates up to which all who still grow can grow, at most 1, and what is used up then. */
function nextLimit(
  left: ReadonlyMap<number, number>,
  wanted: ReadonlyMap<number, number>,
  part: number,
): { next: number; used: Set<number> } {
  let next = 1;
  let used = new Set<number>();
  for (const [resource, sum] of wanted) {
    if (sum <= 0) continue;
    const until = part + Math.max(0, left.get(resource)!) / sum;
    if (until < next * (1 - NOTHING)) {
      next = until;
      used = new Set([resource]);
    } else if (until <= next) {
      used.add(resource);
    }
  }
  return { next, used };
}

function addTo(wanted: Map<number, number>, { demand, unitsPerSecond }: Claim, sign: 1 | -1): void {
  for (const [resource, perUnit] of demand) {
    if (perUnit > 0) wanted.set(resource, (wanted.get(resource) ?? 0) + sign * perUnit * unitsPerSecond);
  }
}
