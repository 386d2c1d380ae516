const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL = ['', 'k', 'M', 'G', 'T', 'P', 'E'];

/** Bytes of a quantity of Kubernetes, as `100Gi` or `1e9`; null where it is none. */
export function quantityBytes(text: string): number | null {
  const match = /^\+?(\d+\.?\d*|\.\d+)(?:([KMGTPE]i|[kMGTPEmun])|[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) return null;
  const [, digits, unit = '', exponent = '0'] = match;
  const binary = BINARY.indexOf(unit);
  if (binary >= 0) return Number(digits) * 1024 ** binary * 10 ** Number(exponent);
  const decimal = DECIMAL.indexOf(unit);
  return decimal >= 0 ? Number(digits) * 1000 ** decimal : Number(digits) * SMALL[unit]!;
}

const SMALL: Readonly<Record<string, number>> = { m: 1e-3, u: 1e-6, n: 1e-9 };

const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1024,
  MB: 1024 ** 2,
  GB: 1024 ** 3,
  TB: 1024 ** 4,
};

/** Bytes of a size in PostgreSQL's configuration, megabytes where no unit is said; null where it is none. */
export function postgresBytes(text: string): number | null {
  const match = /^\s*(-?\d+)\s*(B|kB|MB|GB|TB)?\s*$/.exec(text);
  return match === null ? null : Number(match[1]) * UNITS[match[2] ?? 'MB']!;
}
