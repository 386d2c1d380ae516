import type { Alert, Notifier } from '../core/alert.ts';
import { parseWebhookSecret, parseWebhookUrl, signatureHeaders } from '../outside/webhook.ts';
import { CLOUD_EVENT_TYPE, cloudEventOf } from './cloud-event.ts';
import { type Posted, postTo } from './post.ts';
import { deliver, TRY_LIMITS, type TryLimits } from './tries.ts';

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
      deliver(what, (ends) => postTo(target, eventOf(alert, key), ends), limits, signal),
    close: async () => {},
  };
}

function eventOf(alert: Alert, key: Buffer | null): Posted {
  const body = JSON.stringify(cloudEventOf(alert));
  return { body, headers: { 'content-type': CLOUD_EVENT_TYPE, ...signatureHeaders(key, alert.id, body) } };
}
