/** `100k`, `2M` or a plain number, as a number of events; null when it is none. */
export function parseSize(text: string): number | null {
  const match = /^(\d+)([kM]?)$/.exec(text);
  if (match === null) return null;
  const size = Number(match[1]) * { '': 1, k: 1000, M: 1_000_000 }[match[2] as '' | 'k' | 'M'];
  return size > 0 ? size : null;
}

/** The shortest text that `parseSize` reads back. */
export function sizeText(events: number): string {
  if (events % 1_000_000 === 0) return `${events / 1_000_000}M`;
  return events % 1000 === 0 ? `${events / 1000}k` : String(events);
}
