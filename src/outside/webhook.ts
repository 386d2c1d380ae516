import crypto from 'node:crypto';
import { BackupError } from '../core/errors.ts';

/** The address of a webhook. Throws `key_refused`, which does not show it: it may hold a secret. */
export function parseWebhookUrl(text: string, name: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '')
    return url;
  throw new BackupError(
    'key_refused',
    `${name}: the address of the webhook is no URL that can be posted to`,
    {
      hint: 'it begins with https:// and has no name and password; it is not shown here, since it may hold a secret',
    },
  );
}

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

/** The key in a secret as Standard Webhooks writes it. Throws `key_refused`, which shows nothing of it. */
export function parseWebhookSecret(text: string, name: string): Buffer {
  const bytes = Buffer.from(SECRET.exec(text)?.[1] ?? '', 'base64');
  if (bytes.length >= 24 && bytes.length <= 64) return bytes;
  throw new BackupError('key_refused', `${name}: the secret of the webhook has another form`, {
    hint: 'it is whsec_ and 24 to 64 random bytes in base64: printf "whsec_%s" "$(openssl rand -base64 32)"',
  });
}

/**
 * As Standard Webhooks has them (https://www.standardwebhooks.com); nothing is signed without a key. The time is that of the try, so that a
 * receiver which refuses old ones takes what was owed.
 */
export function signatureHeaders(key: Buffer | null, id: string, body: string): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp };
  if (key === null) return headers;
  const digest = crypto.createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { ...headers, 'webhook-signature': `v1,${digest}` };
}

/** A code of the system alone: messages can hold the address. */
export function networkCode(error: unknown): string {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : 'no connection';
}
