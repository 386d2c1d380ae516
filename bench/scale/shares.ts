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
  const wanted = new Float64Array(resources.length);
  for (const claim of claims) addTo(wanted, claim, 1);
  const left = Float64Array.from(resources, ({ perSecond }) => perSecond);
  // Few of many hosts may have work.
  let open = [...wanted.keys()].filter((resource) => wanted[resource]! > 0);
  let growing = [...claims.keys()];
  let part = 0;
  while (growing.length > 0) {
    const next = nextLimit(open, left, wanted, part);
    for (const resource of open) left[resource]! -= wanted[resource]! * (next.part - part);
    part = next.part;
    growing = growing.filter((index) => {
      const claim = claims[index]!;
      const limit = claim.demand.find(([resource, perUnit]) => perUnit > 0 && next.used.has(resource));
      if (limit === undefined && part < 1) return true;
      shares[index] = { rate: claim.unitsPerSecond * part, limit: limit?.[0] ?? null };
      addTo(wanted, claim, -1);
      return false;
    });
    // What rounding leaves of a sum would be taken for somebody who still grows.
    open = open.filter((resource) => !next.used.has(resource) && wanted[resource]! > 0);
  }
  return shares;
}

/** The part of their full rates up to which all who still grow can grow, at most 1, and what is used up then. */
function nextLimit(
  open: readonly number[],
  left: Float64Array,
  wanted: Float64Array,
  before: number,
): { part: number; used: Set<number> } {
  let part = 1;
  const used = new Set<number>();
  for (const resource of open) {
    const until = before + Math.max(0, left[resource]!) / wanted[resource]!;
    if (until > part) continue;
    if (until < part * (1 - NOTHING)) used.clear();
    part = Math.min(part, until);
    used.add(resource);
  }
  return { part, used };
}

function addTo(wanted: Float64Array, { demand, unitsPerSecond }: Claim, sign: 1 | -1): void {
  for (const [resource, perUnit] of demand) wanted[resource]! += sign * perUnit * unitsPerSecond;
}
