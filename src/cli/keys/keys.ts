import { dirname } from 'node:path';
import type { Command } from 'commander';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { KeyRing } from '../../core/key-ring.ts';
import { shortenRecipient } from '../../core/recipient-text.ts';
import { NO_TRUST_POLICY } from '../../core/trust.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import type { Settings } from '../config/config.ts';
import { loadKeysRoom } from '../wire.ts';

/** The options with which a command that seals or opens is told of keys. A secret is never in them: only where it is. */
export interface KeyFlags {
  readonly recipient?: readonly string[];
  readonly passphraseFile?: string;
  readonly identity?: readonly string[];
  readonly signKey?: string;
}

/** For commands that only read. */
export function addIdentityOptions(command: Command): Command {
  return command
    .option('--identity <file>', 'opens what is sealed: an identity of age (repeatable)', collect)
    .option('--passphrase-file <file>', 'opens what is sealed for a passphrase: a file that holds it');
}

/** For commands that write. */
export function addKeyOptions(command: Command): Command {
  return command
    .option(
      '--recipient <recipient>',
      'seal for this recipient: age1…, or a key of AWS KMS (repeatable)',
      collect,
    )
    .option('--passphrase-file <file>', 'seal for the passphrase in this file, and open with it')
    .option('--identity <file>', 'opens what is sealed: an identity of age (repeatable)', collect)
    .option('--sign-key <file>', 'sign with this Ed25519 key');
}

export function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

/** A ring of nobody: nothing is sealed, and what is sealed does not open. */
const NO_RING: KeyRing = {
  recipients: [],
  canOpen: false,
  wrap: async () => [],
  unwrap: async (keys, keyId) => {
    const names = [...new Set(keys.map(({ recipient }) => shortenRecipient(recipient)))].join(', ');
    throw new BackupError('key_missing', `it is sealed for ${names}, and no identity is given`, {
      hint: 'pass --identity FILE or --passphrase-file FILE, or name them under `encryption:` in the configuration',
      facts: { keyId },
    });
  },
};

export interface KeyPlaces {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** False: who restores has the configuration of a host that is lost, and not its signing key. */
  readonly signs?: boolean;
}

/**
 * The keys of a run: flags beat the configuration, recipients and identities each as a whole. All secrets are read now, before anything is
 * written. Throws `usage`, `config_invalid` or `key_refused`.
 */
export async function loadKeys(
  settings: Settings,
  flags: KeyFlags,
  { env, cwd, signs = true }: KeyPlaces,
): Promise<ReadKeys> {
  const { encryption } = settings;
  const { trusted_signers: trustedSigners = [], require_signature: requireSignature = false } = encryption;
  const trust = { trustedSigners, requireSignature };
  if (!namesKeys(encryption) && !namesKeys(flags)) {
    return {
      ring: NO_RING,
      signer: null,
      trust: trustedSigners.length > 0 || requireSignature ? trust : NO_TRUST_POLICY,
    };
  }
  const { openKeys, parseIdentitySource, parsePassphraseSource, parseSecretSource } = await loadKeysRoom();
  const folder = settings.file === null ? cwd : dirname(settings.file);
  const source = <Source>(flag: string | undefined, inFile: string | undefined, parse: Parse<Source>) => {
    if (flag !== undefined) return parse(flag, cwd);
    return inFile === undefined ? null : inConfig(settings, () => parse(inFile, folder));
  };
  const identities =
    flags.identity?.map((text) => parseIdentitySource(text, cwd)) ??
    inConfig(settings, () => (encryption.identities ?? []).map((text) => parseIdentitySource(text, folder)));
  const sources = {
    recipients: flags.recipient ?? encryption.recipients ?? [],
    passphrase: source(flags.passphraseFile, encryption.passphrase, parsePassphraseSource),
    identities,
    signKey: signs ? source(flags.signKey, encryption.sign_key, parseSecretSource) : null,
  };
  return { ...(await openKeys(sources, env)), trust };
}

type Parse<Source> = (text: string, folder: string) => Source;

const NAMING = [
  'recipients',
  'passphrase',
  'identities',
  'sign_key',
  'recipient',
  'passphraseFile',
  'identity',
  'signKey',
];

function namesKeys(named: object): boolean {
  return NAMING.some((name) => (named as Record<string, unknown>)[name] !== undefined);
}

/** Says in which file a faulty source stands. */
function inConfig<Result>(settings: Settings, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    if (!isBackupError(cause, 'usage')) throw cause;
    const options = cause.hint === null ? {} : { hint: cause.hint };
    throw new BackupError('config_invalid', `${settings.file}: \`encryption\`: ${cause.message}`, options);
  }
}
