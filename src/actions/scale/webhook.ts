import crypto from 'node:crypto';
import type { Scaler } from '../../core/disaster-ports.ts';
import { BackupError } from '../../core/errors.ts';
import { networkCode, parseWebhookSecret, parseWebhookUrl, signatureHeaders } from '../../outside/webhook.ts';

export interface WebhookScalerOptions {
  /** For messages, such as the region's. */
  readonly name: string;
  /** May hold a secret behind its host: only the origin is ever shown. */
  readonly url: string;
  /** `whsec_` and 24 to 64 bytes in base64; null: nothing is signed. */
  readonly secret: string | null;
  /** Go along in the body: the region, what it is for. */
  readonly facts: Readonly<Record<string, string>>;
  /** The longest that one answer is waited for, whatever the caller would wait. */
  readonly answerMs?: number;
}

const ANSWER_MS = 30_000;
const MOST_BYTES = 64 << 10;
/** Who knows only the POST answers a GET with one of these. */
const NO_GET: readonly number[] = [404, 405, 501];

interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * Asks for capacity by a POST, signed as Standard Webhooks has it, under one `webhook-id` for all that one process asks: who has seen it does
 * nothing. Whether it is there, a GET of the same address says: `{"ready": true}`; where there is none, the answer to the POST did, in which a
 * 202 is "not yet". Redirections are not followed.
 */
export function webhookScaler({
  name,
  url,
  secret,
  facts,
  answerMs = ANSWER_MS,
}: WebhookScalerOptions): Scaler {
  const target = parseWebhookUrl(url, name);
  const key = secret === null ? null : parseWebhookSecret(secret, name);
  const id = crypto.randomUUID();
  const what = `${name} (${target.origin})`;
  let wasReady = false;
  const ask = async (method: 'GET' | 'POST', signal: AbortSignal): Promise<Answer> => {
    const body = method === 'GET' ? '' : JSON.stringify({ type: 'eventcore.dr.scale', id, ...facts });
    const ends = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
    const headers = { 'content-type': 'application/json', ...signatureHeaders(key, id, body) };
    try {
      const init = { method, headers, redirect: 'manual', signal: ends } as const;
      const answer = await fetch(target, method === 'GET' ? init : { ...init, body });
      return { status: answer.status, body: await readStart(answer) };
    } catch (error) {
      throw failed(
        what,
        ends.aborted ? 'did not answer in time' : `cannot be reached (${networkCode(error)})`,
      );
    }
  };
  return {
    describe: `ask ${what} for capacity`,
    apply: async ({ signal }) => {
      const { status, body } = await ask('POST', signal);
      if (status < 200 || status > 299) throw failed(what, `answered ${status}`);
      wasReady = readReady(body) ?? status !== 202;
      return { scaler: 'webhook', status };
    },
    check: async ({ signal }) => {
      const { status, body } = await ask('GET', signal);
      if (NO_GET.includes(status)) return wasReady;
      const ready = status === 200 ? readReady(body) : null;
      if (ready === null) throw failed(what, `did not say whether it is there (${status})`);
      return ready;
    },
  };
}

function failed(what: string, reason: string): BackupError {
  return new BackupError('action_failed', `${what} ${reason}`, {
    hint: 'a POST is answered with 2xx, and a GET of the same address with {"ready": true} or {"ready": false}, or not at all (405)',
  });
}

/** Null where it is not said. */
function readReady(body: string): boolean | null {
  try {
    const { ready } = JSON.parse(body) as { readonly ready?: unknown };
    return typeof ready === 'boolean' ? ready : null;
  } catch {
    return null;
  }
}

async function readStart(answer: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body ?? []) {
    parts.push(part);
    length += part.length;
    if (length > MOST_BYTES) break;
  }
  return Buffer.concat(parts).toString('utf8');
}
