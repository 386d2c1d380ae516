/** Up to `size` of what comes, each as likely as any other: kept while it passes (Vitter's algorithm R). */
export async function reservoir<Item>(
  items: AsyncIterable<Item>,
  size: number,
  random: () => number,
): Promise<Item[]> {
  const kept: Item[] = [];
  let seen = 0;
  for await (const item of items) {
    seen += 1;
    if (kept.length < size) kept.push(item);
    else {
      const place = Math.floor(random() * seen);
      if (place < size) kept[place] = item;
    }
  }
  return kept;
}

/** How many of `total` a percentage is: at least one, where it is more than none. */
export function countSample(total: number, percentage: number, most: number): number {
  if (percentage <= 0 || total === 0) return 0;
  return Math.min(most, Math.max(1, Math.round((total * percentage) / 100)));
}
