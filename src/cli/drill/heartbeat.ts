import type { Log } from '../log.ts';

const TIMEOUT_MS = 10_000;

/**
 * Calls an address that waits to hear from drills that passed. Whatever comes of it, the drill stands; the address may be a secret, and is
 * not shown.
 */
export async function callHeartbeat(url: string, log: Log): Promise<'called' | 'failed'> {
  const place = new URL(url).host;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'follow' });
    await response.body?.cancel();
    if (response.ok) return 'called';
    log.warn(`the heartbeat address at ${place} answered ${response.status}`);
  } catch (error) {
    const { cause, name } = error as { readonly cause?: { readonly code?: string }; readonly name?: string };
    log.warn(`the heartbeat address at ${place} could not be called (${cause?.code ?? name ?? 'unknown'})`);
  }
  return 'failed';
}
