/** Versions as `1.2.3`: there are no others. */

const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/;

/** `wanted` is a version, or which part of the current one goes up. Throws for one that is no version, or not above the current one. */
export function nextVersion(current: string, wanted: string): string {
  const [major, minor, patch] = partsOf(current);
  if (wanted === 'major') return `${major + 1}.0.0`;
  if (wanted === 'minor') return `${major}.${minor + 1}.0`;
  if (wanted === 'patch') return `${major}.${minor}.${patch + 1}`;
  if (!isAbove(partsOf(wanted), [major, minor, patch])) throw new Error(`${wanted} is not above ${current}`);
  return wanted;
}

type Parts = readonly [number, number, number];

function partsOf(version: string): Parts {
  const found = VERSION.exec(version);
  if (found === null) throw new Error(`"${version}" is no version as 1.2.3, and not major, minor or patch`);
  return [Number(found[1]), Number(found[2]), Number(found[3])];
}

function isAbove(one: Parts, other: Parts): boolean {
  const index = one.findIndex((part, place) => part !== other[place]);
  return index >= 0 && one[index]! > other[index]!;
}
