import { BackupError } from '../core/errors.ts';
import type { BackupVerification } from '../core/report.ts';
import type { Vault } from '../core/vault.ts';
import { MANIFEST_NAME } from '../format/bundle.ts';

/** Takes away what an attempt wrote. The manifest is not among it: once written, the backup stands. */
export async function removeAttempt(vault: Vault, folder: string): Promise<void> {
  try {
    const names: string[] = [];
    for await (const object of vault.list(folder)) names.push(object.name);
    if (names.includes(folder + MANIFEST_NAME)) return;
    for (const name of names) await vault.removeObject(name);
  } catch {
    // The vault may be what failed. What stays has no manifest, so it is no backup, and `list` shows it.
  }
}

export function noEventStore(address: string): BackupError {
  return new BackupError('not_an_event_store', `${address} holds no event store`, {
    hint: 'check the address; the tables eventcore_events, … were not found there',
  });
}

const CHECK_VAULT = 'the attempt was removed; check the disk or bucket, then back up again';

export function notSound(
  verification: BackupVerification,
  vaultAddress: string,
  hint = CHECK_VAULT,
): BackupError {
  const first = verification.problems[0]?.message ?? 'no reason given';
  return new BackupError(
    'verification_failed',
    `what was written to ${vaultAddress} does not read back: ${first}`,
    {
      hint,
      facts: { problems: verification.problems.length + verification.problemsOmitted },
    },
  );
}
