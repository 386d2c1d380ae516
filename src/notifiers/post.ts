import { networkCode } from '../outside/webhook.ts';
import type { Undelivered } from './tries.ts';

export interface Posted {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** One try. The answer is thrown away, and a redirection not followed: what is meant for one place is not carried to another. */
export async function postTo(
  url: URL,
  { body, headers }: Posted,
  signal: AbortSignal,
): Promise<Undelivered | null> {
  try {
    const answer = await fetch(url, { method: 'POST', body, headers, redirect: 'manual', signal });
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
