import crypto from 'node:crypto';
import type { Alert, Notifier } from '../core/alert.ts';
import { BackupError } from '../core/errors.ts';
import { CLOUD_EVENT_TYPE, cloudEventOf } from './cloud-event.ts';
import { deliver, TRY_LIMITS, type TryLimits, type Undelivered } from './tries.ts';

export interface WebhookOptions {
  readonly name: string;
  /** May hold a secret behind its host, as those of chats do: only the origin is ever shown. */
  readonly url: string;
  /** `whsec_` and 24 to 64 bytes in base64; null: nothing is signed. */
  readonly secret: string | null;
  readonly limits?: TryLimits;
}

/**
 * Posts each alert as a CloudEvent, signed as Standard Webhooks has it (https://www.standardwebhooks.com): the receiver can tell who sent
 * it, that it is new, and by `webhook-id` whether it came before. Answers are thrown away, and redirections not followed: what was
 * signed for one place is not carried to another. Throws `key_refused` for a secret or address of another form.
 */
export function webhookNotifier({ name, url, secret, limits = TRY_LIMITS }: WebhookOptions): Notifier {
  const target = parseUrl(url, name);
  const key = secret === null ? null : parseWebhookSecret(secret, name);
  const what = `${name} (${target.origin})`;
  return {
    name,
    notify: (alert, { signal } = {}) =>
      deliver(what, (ends) => post(target, key, alert, ends), limits, signal),
    close: async () => {},
  };
}

function parseUrl(text: string, name: string): URL {
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

function parseWebhookSecret(text: string, name: string): Buffer {
  const bytes = Buffer.from(SECRET.exec(text)?.[1] ?? '', 'base64');
  if (bytes.length >= 24 && bytes.length <= 64) return bytes;
  throw new BackupError('key_refused', `${name}: the secret of the webhook has another form`, {
    hint: 'it is whsec_ and 24 to 64 random bytes in base64: printf "whsec_%s" "$(openssl rand -base64 32)"',
  });
}

async function post(
  url: URL,
  key: Buffer | null,
  alert: Alert,
  signal: AbortSignal,
): Promise<Undelivered | null> {
  const body = JSON.stringify(cloudEventOf(alert));
  try {
    const answer = await fetch(url, {
      ...{ method: 'POST', body, redirect: 'manual', signal },
      headers: { 'content-type': CLOUD_EVENT_TYPE, ...signatureHeaders(key, alert.id, body) },
    });
    await answer.body?.cancel();
    return judgeAnswer(answer);
  } catch (error) {
    if (signal.aborted) return { reason: 'did not answer in time', mayPass: true };
    return { reason: `cannot be reached (${networkCode(error)})`, mayPass: true };
  }
}

/** The time is that of the try, so that a receiver which refuses old ones takes what was owed. */
function signatureHeaders(key: Buffer | null, id: string, body: string): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp };
  if (key === null) return headers;
  const digest = crypto.createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { ...headers, 'webhook-signature': `v1,${digest}` };
}

/** Nobody waits longer than this, whatever an answer asks for. */
const LONGEST_WAIT_S = 600;

function judgeAnswer({ ok, status, headers }: Response): Undelivered | null {
  if (ok) return null;
  if (status >= 300 && status < 400) {
    return { reason: `answered ${status}: it is elsewhere; name that address`, mayPass: false };
  }
  const mayPass = status >= 500 || status === 429;
  const asked = Number(headers.get('retry-after') ?? 0);
  const waitMs = Number.isFinite(asked) && asked > 0 ? Math.min(asked, LONGEST_WAIT_S) * 1000 : 0;
  return { reason: `answered ${status}`, mayPass, waitMs };
}

/** A code of the system alone: messages can hold the address. */
function networkCode(error: unknown): string {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : 'no connection';
}
