const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * The bucket, 0 to `of` - 1, of a stream: FNV-1a over its name, begun with the seed and mixed at the end as MurmurHash3 does, so that
 * names that differ in their last character fall anywhere.
 */
export function bucketOf(stream: unknown, seed: number, of: number): number {
  const name = String(stream);
  let hash = mix(FNV_OFFSET ^ seed);
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), FNV_PRIME);
  return (mix(hash) >>> 0) % of;
}

function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
