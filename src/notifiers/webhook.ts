import type { Alert, Notifier } from '../core/alert.ts';
import { networkCode, parseWebhookSecret, parseWebhookUrl, signatureHeaders } from '../outside/webhook.ts';
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
  const target = parseWebhookUrl(url, name);
  const key = secret === null ? null : parseWebhookSecret(secret, name);
  const what = `${name} (${target.origin})`;
  return {
    name,
    notify: (alert, { signal } = {}) =>
      deliver(what, (ends) => post(target, key, alert, ends), limits, signal),
    close: async () => {},
  };
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
