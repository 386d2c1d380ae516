/** What is looked at of a request to decide on it. */
export interface Asked {
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  /** Address of the other end of the connection, plain; '' where there is none any more. */
  readonly peer: string;
  readonly header: (name: string) => string | null;
}

/** Why a request goes no further. `message` and `hint` are shown to whoever sent it. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 415 | 421 | 429 | 503;
  readonly message: string;
  readonly hint: string;
  readonly retryAfterMs?: number;
}

export function refusal(status: Refusal['status'], message: string, hint = ''): Refusal {
  return { status, message, hint };
}

const FORWARDED = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'];

/** Something stands between this daemon and whoever asks: then the other end of the connection says nothing about them. */
export function isForwarded({ header }: Asked): boolean {
  return FORWARDED.some((name) => header(name) !== null);
}
