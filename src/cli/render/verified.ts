import { formatInstant } from '../../core/units.ts';
import type { VerifiedState } from '../../policy/verified-memory.ts';
import type { Paint } from '../output.ts';

/** Since when all of a backup was verified, and how that ended; nothing where it never was. */
export function verifiedText({ verifiedAtMs, isSound }: VerifiedState, paint: Paint): string {
  const when = verifiedAtMs === null ? '' : formatInstant(new Date(verifiedAtMs).toISOString());
  if (isSound !== false) return when;
  return paint('bad', when === '' ? 'UNSOUND' : `${when}, UNSOUND`);
}

/** The same for programs. */
export function verifiedDocument({ verifiedAtMs, isSound }: VerifiedState): Record<string, unknown> {
  const verifiedAt = verifiedAtMs === null ? null : new Date(verifiedAtMs).toISOString();
  return { verifiedAt, verifiedSound: isSound };
}
