import type { Vault } from '../core/vault.ts';
import { writeObject } from './data-file-writer.ts';

/**
 * Says in the vault of the lease that a primary is none any longer (FORMAT.md §22): servers of this system, up to this timeline, are
 * kept closed by their guards for as long as the mark is there. All stands in the name, so a listing is enough to know it.
 */
export interface DeposedMark {
  readonly systemIdentifier: string;
  /** The newest one that is closed. */
  readonly timeline: number;
  /** Plan of the recovery, or `guard` where a newer primary's guard wrote it. */
  readonly by: string;
  /** `asked`: guards close and let the lease go. `stands`: the lease was had since, so whoever heeds it is closed. */
  readonly state: 'asked' | 'stands';
}

const PREFIX = 'disaster/deposed/';
const NAME =
  /^disaster\/deposed\/(\d{1,20})\/(\d{10})-(guard|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(asked|stands)$/;

export function deposedName({ systemIdentifier, timeline, by, state }: DeposedMark): string {
  return `${PREFIX}${systemIdentifier}/${String(timeline).padStart(10, '0')}-${by}.${state}`;
}

/** Null when an object of this name is no such mark. */
export function parseDeposedName(name: string): DeposedMark | null {
  const [, systemIdentifier, timeline, by, state] = NAME.exec(name) ?? [];
  if (systemIdentifier === undefined || by === undefined) return null;
  return { systemIdentifier, timeline: Number(timeline), by, state: state as DeposedMark['state'] };
}

/** Of one system, the oldest timelines first. */
export async function listDeposed(vault: Vault, systemIdentifier: string): Promise<DeposedMark[]> {
  const marks: DeposedMark[] = [];
  for await (const { name } of vault.list(`${PREFIX}${systemIdentifier}/`)) {
    const mark = parseDeposedName(name);
    if (mark !== null) marks.push(mark);
  }
  return marks;
}

/** Written again it changes nothing. */
export async function writeDeposed(vault: Vault, mark: DeposedMark): Promise<void> {
  const name = deposedName(mark);
  if ((await vault.stat(name)) !== null) return;
  try {
    await writeObject(vault, name, new Uint8Array(0));
  } catch (error) {
    // Whoever was quicker wrote the same.
    if ((await vault.stat(name)) === null) throw error;
  }
}

/** Guards may open again, if nothing else forbids it. */
export async function removeDeposed(vault: Vault, mark: Omit<DeposedMark, 'state'>): Promise<void> {
  for (const state of ['stands', 'asked'] as const) await vault.removeObject(deposedName({ ...mark, state }));
}
