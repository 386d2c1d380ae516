/** Milliseconds since 1970, by a clock that never steps back: all instants of the laboratory are of it. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
