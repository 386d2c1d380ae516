import type { Vault } from '../../core/vault.ts';
import { readCatalog } from '../../format/catalog.ts';
import { readLogCatalog } from '../../format/log-catalog.ts';
import { basePoint, isOfSource } from '../../recovery/meeting.ts';
import { carriedSpans, readSpans, wholeChains } from '../../recovery/survey.ts';

/** Whether the newest run of the log neither carries on a backup nor comes to one that is ahead of it: nothing of it can be brought back then. */
export async function lacksBase(vault: Vault): Promise<boolean> {
  const spans = await readSpans(vault, await readLogCatalog(vault));
  const newest = spans.reduce((a, b) => (b.until >= a.until ? b : a));
  const catalog = await readCatalog(vault);
  const isAhead = [...wholeChains(catalog)].some((chain) => {
    const { cursor } = chain.at(-1)!.manifest;
    const point = basePoint(cursor);
    return typeof point !== 'string' && isOfSource(cursor, newest.source) && point.position > newest.span.to;
  });
  return !isAhead && (await carriedSpans(vault, catalog, [newest])).length === 0;
}
