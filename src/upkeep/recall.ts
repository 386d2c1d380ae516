import { runLimited } from '../core/concurrency.ts';
import { BackupError, throwIfAborted } from '../core/errors.ts';
import { pause } from '../core/pause.ts';
import type { Vault } from '../core/vault.ts';
import { BACKUPS_PREFIX, MANIFEST_NAME } from '../format/bundle.ts';

export interface RecallOptions {
  /** Waits until all can be read; else it is only asked for. */
  readonly wait: boolean;
  readonly onWaiting?: (waiting: RecallState) => void;
  /** The longest time to wait. */
  readonly timeoutMs?: number;
  /** Before the first look; later ones are further apart. */
  readonly firstPauseMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface RecallState {
  readonly waiting: number;
  readonly objects: number;
  /** From when it was asked for, as the place promises it; null when nothing is known. */
  readonly usuallyMs: number | null;
}

const ASKED_AT_ONCE = 8;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 300_000;
/** The slowest tiers give what was asked for within two days. */
const TIMEOUT_MS = 72 * 3_600_000;

/** Objects in an archive tier whose names start with one of these. */
export async function archivedObjects(vault: Vault, prefixes: readonly string[]): Promise<string[]> {
  const names: string[] = [];
  for (const prefix of prefixes) {
    for await (const { name, isArchived } of vault.list(prefix)) if (isArchived === true) names.push(name);
  }
  return names;
}

/** Manifests in an archive tier: without them nobody knows what there is. */
export async function archivedManifests(vault: Vault): Promise<string[]> {
  const names = await archivedObjects(vault, [BACKUPS_PREFIX]);
  return names.filter((name) => name.endsWith(`/${MANIFEST_NAME}`));
}

/**
 * Asks for objects of an archive tier, and waits for them or throws `object_archived`, which says how long that usually takes. Asking
 * again changes nothing, so whoever comes later only waits for the rest.
 */
export async function recallObjects(
  vault: Vault,
  names: readonly string[],
  options: RecallOptions,
): Promise<void> {
  const { wait, onWaiting, signal, timeoutMs = TIMEOUT_MS } = options;
  const giveUpAtMs = performance.now() + timeoutMs;
  let pauseMs = options.firstPauseMs ?? FIRST_PAUSE_MS;
  for (let left = names; ; ) {
    throwIfAborted(signal);
    const asked = await ask(vault, left, signal);
    left = asked.left;
    if (left.length === 0) return;
    const state = { waiting: left.length, objects: names.length, usuallyMs: asked.usuallyMs };
    if (!wait || performance.now() >= giveUpAtMs) throw notYet(vault, state);
    onWaiting?.(state);
    await pause(Math.min(pauseMs, Math.max(0, giveUpAtMs - performance.now())), signal);
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
  }
}

async function ask(
  vault: Vault,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<{ left: string[]; usuallyMs: number | null }> {
  let usuallyMs: number | null = null;
  const states = await runLimited(
    names,
    ASKED_AT_ONCE,
    async (name) => {
      const recall = await vault.recall(name);
      if (recall.state === 'readable') return null;
      if (recall.usuallyMs !== null) usuallyMs = Math.max(usuallyMs ?? 0, recall.usuallyMs);
      return name;
    },
    signal,
  );
  return { left: states.filter((name) => name !== null), usuallyMs };
}

function notYet(vault: Vault, { waiting, objects, usuallyMs }: RecallState): BackupError {
  const hours = usuallyMs === null ? null : Math.ceil(usuallyMs / 3_600_000);
  const long = hours === null ? 'how long it takes is not known' : `it usually takes up to ${hours} h`;
  return new BackupError(
    'object_archived',
    `${waiting} of ${objects} objects are in the archive tier of ${vault.address} and cannot be read yet`,
    {
      hint: `they were asked for, and ${long}; run the same again then, or pass --wait-for-archive to wait now`,
      facts: { waiting, objects, usuallyMs },
    },
  );
}
