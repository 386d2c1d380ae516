import type { Command } from 'commander';
import { type RewrapReport, rewrapKeys } from '../../backup/rewrap.ts';
import { BackupError } from '../../core/errors.ts';
import type { KeyRing } from '../../core/key-ring.ts';
import { shortenRecipient } from '../../core/recipient-text.ts';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import { plural, printable } from '../../core/units.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import { requireAddress } from '../config/config.ts';
import { type CommandContext, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, collect, type KeyFlags, loadKeys } from '../keys/keys.ts';
import type { Paint } from '../output.ts';
import { loadKeysRoom, systemClock } from '../wire.ts';

interface RewrapFlags extends KeyFlags {
  readonly add?: readonly string[];
  readonly drop?: readonly string[];
  readonly addPassphraseFile?: string;
  readonly removeSuperseded?: true;
  readonly apply?: true;
}

export function addRewrapCommand(keys: Command, start: Start): void {
  addIdentityOptions(
    keys
      .command('rewrap')
      .description(
        'change who can open what a vault holds; no data is written anew. Without --apply only shows what it would do',
      ),
  )
    .option(
      '--add <recipient>',
      'let this recipient open everything: age1…, a key of AWS KMS (repeatable)',
      collect,
    )
    .option('--add-passphrase-file <file>', 'let the passphrase in this file open everything')
    .option('--drop <recipient>', 'name this recipient, or passphrase, no more (repeatable)', collect)
    .option(
      '--remove-superseded',
      'remove older key records: with them, who was dropped can still open what is there',
    )
    .option('--sign-key <file>', 'sign the new records with this Ed25519 key')
    .option('--apply', 'do it')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore keys rewrap --identity old.age-key --add age1… --drop age1… --apply',
          'eventcore keys rewrap --identity new.age-key --remove-superseded --apply',
        ],
        [0, 2, 4, 6, 8, 130],
      ),
    )
    .action((flags: RewrapFlags) => start((context) => rewrap(context, flags), LEFT));
}

const LEFT = 'what has a new key record keeps it, older records are all there; run it again to go on';

async function rewrap(context: CommandContext, flags: RewrapFlags): Promise<number> {
  const { output, signal, software } = context;
  const drop = flags.drop ?? [];
  const isWished = flags.add ?? flags.addPassphraseFile ?? flags.drop ?? flags.removeSuperseded;
  if (isWished === undefined) {
    throw new BackupError('usage', 'nothing is to be changed', {
      hint: 'pass --add RECIPIENT, --drop RECIPIENT or --remove-superseded',
    });
  }
  const settings = await context.settings();
  const keys = await loadKeys(settings, flags, context);
  requireIdentity(keys);
  const add = await ringToAdd(context, flags);
  await withVault(requireAddress(settings, 'vault'), { create: false }, async (vault) => {
    const apply = flags.apply === true;
    const report = await rewrapKeys({
      ...{
        vault,
        keys,
        add,
        drop,
        apply,
        software,
        signal,
        removeSuperseded: flags.removeSuperseded === true,
      },
      createdAt: formatTime(timeFromUnixMs(systemClock.now()), 3),
      onRewrapped: (name) => context.log.info(`wrote ${name}`),
    });
    output.document({
      vault: vault.address,
      applied: apply,
      ...rewrapDocument(report),
      notNamed: notNamed(report, drop),
    });
    output.answer(rewrapLines(report, drop, apply, output.paint));
  });
  return 0;
}

function requireIdentity({ ring }: ReadKeys): void {
  if (ring.canOpen) return;
  throw new BackupError('key_missing', 'a key is wrapped anew by who can open it, and no identity is given', {
    hint: 'pass --identity FILE or --passphrase-file FILE',
  });
}

async function ringToAdd(context: CommandContext, flags: RewrapFlags): Promise<KeyRing> {
  const { openKeys, parsePassphraseSource } = await loadKeysRoom();
  const { addPassphraseFile } = flags;
  const passphrase =
    addPassphraseFile === undefined ? null : parsePassphraseSource(addPassphraseFile, context.cwd);
  const sources = { recipients: flags.add ?? [], passphrase, identities: [], signKey: null };
  return (await openKeys(sources, context.env)).ring;
}

function rewrapDocument({ keys, steps, removed, stay }: RewrapReport): Record<string, unknown> {
  return {
    keys,
    rewrapped: steps
      .filter(({ isNeeded }) => isNeeded)
      .map(({ key, kept, added, dropped }) => ({
        ...{ keyId: key.keyId, folder: key.folder, kept, added, dropped },
      })),
    ...{ removed, supersededThatStay: stay },
  };
}

function rewrapLines(report: RewrapReport, drop: readonly string[], apply: boolean, paint: Paint): string[] {
  const needed = report.steps.filter(({ isNeeded }) => isNeeded);
  const lines = needed.flatMap(({ key, kept, added, dropped }) => [
    `  ${key.keyId.slice(0, 8)}  ${printable(key.folder)}`,
    ...kept.map((name) => `      ${printable(shortenRecipient(name))}`),
    ...added.map((name) => `    ${paint('good', '+')} ${printable(shortenRecipient(name))}`),
    ...dropped.map((name) => `    ${paint('bad', '-')} ${printable(shortenRecipient(name))}`),
  ]);
  const wrapped = `${plural(needed.length, 'key')} of ${report.keys}`;
  const { removed, stay } = report;
  return [
    ...lines,
    apply
      ? `${paint('good', 'Wrapped')} ${wrapped} anew; no data was written.`
      : `Would wrap ${wrapped} anew.`,
    ...(removed.length === 0
      ? []
      : [`${apply ? 'Removed' : 'Would remove'} ${plural(removed.length, 'superseded record')}.`]),
    ...(stay.length === 0
      ? []
      : [
          paint(
            'warning',
            `${plural(stay.length, 'superseded record')} stay: no identity given opens the newer one.`,
          ),
        ]),
    ...notNamed(report, drop).map(
      (name) => `No key is wrapped for ${printable(shortenRecipient(name))} now.`,
    ),
    ...(drop.length > 0 ? [DROPPED] : []),
    ...(apply ? [] : ['Nothing was changed: pass --apply to do it.']),
  ];
}

/** Dropped earlier, or mistyped. */
function notNamed({ steps }: RewrapReport, drop: readonly string[]): string[] {
  return drop.filter((name) => !steps.some(({ dropped }) => dropped.includes(name)));
}

const DROPPED =
  'Who was dropped may have kept what he could open: what is written from now on is sealed by the configuration, which names recipients of its own.';
