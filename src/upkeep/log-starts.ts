import type { Vault } from '../core/vault.ts';
import type { CatalogEntry } from '../format/catalog.ts';
import type { LogSpan } from '../format/log-catalog.ts';
import type { LogStart } from '../policy/retention-facts.ts';
import { findStart, readSpanFacts } from '../recovery/measure.ts';
import { basePoint } from '../recovery/meeting.ts';
import { standsIn } from '../recovery/survey.ts';
import type { SpanFacts } from '../recovery/windows.ts';

/** A run of a log, and where it stands among those of its timeline. */
export interface PlacedSpan {
  readonly place: number;
  readonly facts: SpanFacts;
}

/**
 * The first file that is read to carry on a backup: without all before it, a recovery takes the same backup and reaches the
 * same points. Null where this run does not carry it on.
 */
export async function findLogStart(
  vault: Vault,
  { manifest }: CatalogEntry,
  { place, facts }: PlacedSpan,
): Promise<LogStart | null> {
  const base = basePoint(manifest.cursor);
  if (typeof base === 'string' || !standsIn(manifest, base, facts)) return null;
  const { span, timeline } = facts;
  const start = await findStart(vault, span, base, true);
  if (start === null) return null;
  let first = span.files.indexOf(start.files[0]!);
  for (; first > 0; first -= 1) {
    // What is left must be recovered from by the very rules by which the whole is.
    const rest = runFrom(span, first);
    const left = await readSpanFacts(vault, timeline, rest);
    if (standsIn(manifest, base, left) && (await findStart(vault, rest, base, true)) !== null) break;
  }
  return { folder: timeline.folder, span: place, file: span.files[first]!.name };
}

function runFrom({ to, files }: LogSpan, first: number): LogSpan {
  const left = files.slice(first);
  return { from: left[0]!.from, to, files: left };
}

/** Of backups in the order in which they would serve, the first that the run carries on, and from where on. */
export async function firstStart(
  vault: Vault,
  entries: Iterable<CatalogEntry>,
  span: PlacedSpan,
): Promise<{ readonly backupId: string; readonly start: LogStart } | null> {
  for (const entry of entries) {
    const start = await findLogStart(vault, entry, span);
    if (start !== null) return { backupId: entry.manifest.backupId, start };
  }
  return null;
}
