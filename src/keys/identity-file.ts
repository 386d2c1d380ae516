import { BackupError } from '../core/errors.ts';
import { ageIdentity, generateAgeIdentity } from './age.ts';
import type { Identity } from './recipient.ts';

/** More than anybody keeps; each is tried. */
const MAX_IDENTITIES = 100;

/**
 * The identities of a file as `age-keygen` writes it: one a line, comments begin with `#`. Throws `key_refused`, which never shows a
 * line.
 */
export async function parseIdentities(text: string, source: string): Promise<Identity[]> {
  const identities: Identity[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const secret = line.trim();
    if (secret === '' || secret.startsWith('#')) continue;
    const identity = await ageIdentity(secret);
    if (identity === null) throw malformed(`line ${index + 1} of ${source} is no identity of age`, secret);
    identities.push(identity);
    if (identities.length > MAX_IDENTITIES)
      throw malformed(`${source} has more than ${MAX_IDENTITIES} identities`);
  }
  if (identities.length === 0) throw malformed(`there is no identity in ${source}`);
  return identities;
}

function malformed(message: string, line = ''): BackupError {
  return new BackupError('key_refused', message, { hint: hintFor(line) });
}

function hintFor(line: string): string {
  if (/^age1/.test(line))
    return 'this is a recipient, which only seals; name the file with the AGE-SECRET-KEY-…';
  if (/^age-encryption\.org\/|^-----BEGIN AGE/.test(line)) {
    return 'the identity file is itself encrypted: decrypt it, or name a command that does, as command:age -d key.age';
  }
  return 'it must hold AGE-SECRET-KEY-… on a line of its own, as `eventcore keys generate` and `age-keygen` write it';
}

/** A new identity as a file, and its recipient. */
export async function makeIdentityFile(
  hybrid: boolean,
  createdAt: string,
): Promise<{ recipient: string; text: string }> {
  const { secret, recipient } = await generateAgeIdentity(hybrid);
  return { recipient, text: `# created: ${createdAt}\n# public key: ${recipient}\n${secret}\n` };
}
