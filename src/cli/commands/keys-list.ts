import type { Command } from 'commander';
import { isBackupError } from '../../core/errors.ts';
import { shortenRecipient } from '../../core/recipient-text.ts';
import type { SignatureFinding } from '../../core/trust.ts';
import { plural, printable } from '../../core/units.ts';
import { type KeyRecord, unwrapKey } from '../../format/key-record.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import {
  judgeRecord,
  newestRecord,
  readVaultKeys,
  recordPath,
  type VaultKey,
} from '../../format/vault-keys.ts';
import { requireAddress } from '../config/config.ts';
import { type CommandContext, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags, loadKeys } from '../keys/keys.ts';
import type { Paint } from '../output.ts';

export function addKeysListCommand(keys: Command, start: Start): void {
  addIdentityOptions(
    keys
      .command('list')
      .description('show for whom a vault is sealed, and whether the given identities open it'),
  )
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore keys list --vault /mnt/backups',
          'eventcore keys list --identity backup.age-key',
          "eventcore keys list --json | jq '.keys[] | select(.opens | not)'",
        ],
        [0, 2, 4, 6, 8],
      ),
    )
    .action((flags: KeyFlags) => start((context) => listKeys(context, flags)));
}

/** Whether a key opens; null where there is no identity to try. */
interface Opening {
  readonly opens: boolean | null;
  /** Why it does not. */
  readonly reason: string | null;
}

interface ListedKey extends Opening {
  readonly key: VaultKey;
  readonly records: readonly { readonly record: KeyRecord; readonly signature: SignatureFinding }[];
}

async function listKeys(context: CommandContext, flags: KeyFlags): Promise<number> {
  const { output } = context;
  const settings = await context.settings();
  const keys = await loadKeys(settings, flags, context);
  await withVault(requireAddress(settings, 'vault'), { create: false }, async (vault) => {
    const listed: ListedKey[] = [];
    for (const key of await readVaultKeys(vault)) {
      const records = key.records.map((record) => ({ record, signature: judgeRecord(record, keys.trust) }));
      listed.push({ key, records, ...(await tryToOpen(key, keys)) });
    }
    output.document({ vault: vault.address, keys: listed.map(keyDocument) });
    output.answer(listLines(listed, vault.address, output.paint));
  });
  return 0;
}

async function tryToOpen({ keyId, records }: VaultKey, { ring }: ReadKeys): Promise<Opening> {
  if (!ring.canOpen) return { opens: null, reason: null };
  try {
    await unwrapKey(records, { keyId, scope: records[0]!.scope }, ring);
    return { opens: true, reason: null };
  } catch (error) {
    if (!isBackupError(error, 'key_wrong', 'key_refused', 'key_unreachable', 'damaged')) throw error;
    return { opens: false, reason: error.message };
  }
}

function keyDocument({ key, records, opens, reason }: ListedKey): Record<string, unknown> {
  const { scope } = newestRecord(key);
  return {
    ...{ keyId: key.keyId, folder: key.folder, scope, opens, reason },
    records: records.map(({ record, signature }, index) => ({
      ...{ file: recordPath(key, record), number: record.number, createdAt: record.createdAt },
      superseded: index > 0,
      recipients: record.recipients.map(({ kind, recipient }) => ({ kind, recipient })),
      signature: signature.state,
      signer: signature.signer,
    })),
  };
}

function listLines(listed: readonly ListedKey[], vault: string, paint: Paint): string[] {
  if (listed.length === 0) return [`Nothing is sealed in ${printable(vault)}.`];
  return [
    paint('strong', `${plural(listed.length, 'key')} in ${printable(vault)}`),
    ...listed.flatMap((one) => keyLines(one, paint)),
  ];
}

function keyLines({ key, records, opens, reason }: ListedKey, paint: Paint): string[] {
  const word =
    opens === null
      ? paint('faint', 'no identity given')
      : opens
        ? paint('good', 'opens')
        : paint('bad', `does not open: ${printable(reason ?? '')}`);
  return [
    `  ${key.keyId.slice(0, 8)}  ${printable(key.folder)}  ${word}`,
    ...records.flatMap(({ record, signature }, index) => recordLines(record, signature, index > 0, paint)),
  ];
}

function recordLines(
  record: KeyRecord,
  { state, signer }: SignatureFinding,
  isSuperseded: boolean,
  paint: Paint,
): string[] {
  const by = {
    unsigned: 'unsigned',
    signed: `signed by ${signer}`,
    stranger: paint('warning', `signed by ${signer}, who is not trusted`),
    forged: paint('bad', `forged: ${signer} did not sign it`),
  }[state];
  const superseded = isSuperseded ? paint('faint', ', superseded') : '';
  return [
    `    record ${record.number}, ${printable(record.createdAt)}, ${by}${superseded}`,
    ...record.recipients.map(
      ({ kind, recipient }) => `      ${printable(kind)}  ${printable(shortenRecipient(recipient))}`,
    ),
  ];
}
