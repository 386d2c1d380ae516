import { BackupError } from '../../core/errors.ts';
import { canonicalName } from './record-value.ts';

export const TSIG_ALGORITHMS = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const;
export type TsigAlgorithm = (typeof TSIG_ALGORITHMS)[number];

/** A secret that a name server shares with us. */
export interface TsigKey {
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Buffer;
}

const KEY_FILE =
  /^\s*key\s+"?([^\s"{;]+)"?\s*\{\s*algorithm\s+"?([A-Za-z0-9.-]+)"?\s*;\s*secret\s+"?([A-Za-z0-9+/=]+)"?\s*;\s*\}\s*;?\s*$/;
const COMMENT = /\/\*[\s\S]*?\*\/|(?:\/\/|#).*$/gm;
const LEAST_BYTES = 16;

/**
 * The text of a key file of BIND, as tsig-keygen writes it, or `name:algorithm:secret` on one line. Throws `key_refused`, which
 * shows nothing of it.
 */
export function parseTsigKey(text: string): TsigKey {
  const line = text.trim();
  // In a file, # and // begin comments; in one line, they may stand in the secret.
  const found = KEY_FILE.exec(text) ?? KEY_FILE.exec(text.replaceAll(COMMENT, ''));
  const [name, algorithm, secret] = found?.slice(1) ?? line.split(':');
  const bytes = Buffer.from(secret ?? '', 'base64');
  const known = TSIG_ALGORITHMS.find((one) => one === algorithm?.toLowerCase().replace(/\.$/, ''));
  if (name === undefined || !/^[A-Za-z0-9._-]{1,253}$/.test(name)) throw badKey('has another form');
  if (known === undefined) throw badKey(`is for another algorithm than ${TSIG_ALGORITHMS.join(', ')}`);
  if (bytes.length < LEAST_BYTES || bytes.toString('base64') !== secret?.trim()) {
    throw badKey(`has no secret of at least ${LEAST_BYTES} bytes in base64`);
  }
  return { name: canonicalName(name), algorithm: known, secret: bytes };
}

function badKey(reason: string): BackupError {
  return new BackupError('key_refused', `the key for the name server ${reason}`, {
    hint: 'it is the file that `tsig-keygen -a hmac-sha256 NAME` writes, or NAME:hmac-sha256:SECRET; it is not shown here',
  });
}
