/**
 * Compares two texts in the byte order of their UTF-8 form, which is the order of SQLite's BINARY and PostgreSQL's
 * "C" collation. JavaScript's own order differs where surrogates meet U+E000–U+FFFF.
 */
export function compareUtf8(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i += 1) {
    const unitA = a.charCodeAt(i);
    const unitB = b.charCodeAt(i);
    if (unitA !== unitB) return orderKey(unitA) - orderKey(unitB);
  }
  return a.length - b.length;
}

/** Moves surrogates, which stand for U+10000 and above, behind all other units. */
function orderKey(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
