/**
 * Values that few of many numbered things have. One `Map` of JavaScript holds 2^24 entries and then throws; this is one for each 2^23
 * numbers. Plain data: it survives structured cloning.
 */
export interface Sparse<Value> {
  size: number;
  /** By `number >>> MAP_BITS`. */
  readonly maps: Map<number, Value>[];
}

const MAP_BITS = 23;

export function makeSparse<Value>(): Sparse<Value> {
  return { size: 0, maps: [] };
}

/** Numbers are whole, from 0 and below 2^32. */
export function getSparse<Value>({ size, maps }: Sparse<Value>, number: number): Value | undefined {
  return size === 0 ? undefined : maps[number >>> MAP_BITS]?.get(number);
}

export function hasSparse({ size, maps }: Sparse<unknown>, number: number): boolean {
  return size > 0 && maps[number >>> MAP_BITS]?.has(number) === true;
}

export function setSparse<Value>(sparse: Sparse<Value>, number: number, value: Value): void {
  const { maps } = sparse;
  for (let i = maps.length; i <= number >>> MAP_BITS; i += 1) maps.push(new Map());
  const map = maps[number >>> MAP_BITS]!;
  const before = map.size;
  map.set(number, value);
  sparse.size += map.size - before;
}

export function removeSparse(sparse: Sparse<unknown>, number: number): void {
  if (sparse.size > 0 && sparse.maps[number >>> MAP_BITS]?.delete(number) === true) sparse.size -= 1;
}
