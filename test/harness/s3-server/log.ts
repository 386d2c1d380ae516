import type { Operation } from './routes.ts';

export interface LoggedRequest {
  readonly operation: Operation | null;
  readonly bucketName: string;
  readonly key: string;
  readonly requestBytes: number;
  readonly answerBytes: number;
  /** 0 where the connection ended without an answer. */
  readonly status: number;
  /** S3's code of a refusal. */
  readonly code: string | null;
}

export interface RequestLog {
  /** The last ones, oldest first. */
  readonly requests: readonly LoggedRequest[];
  /** Of all that ever came, or of those of one operation. */
  count(operation?: Operation): number;
  /** As many were under way at once. */
  readonly peak: number;
  /** Mistakes of this server: `stop` throws the first one. */
  readonly bugs: readonly unknown[];
  clear(): void;
}

export interface LogWriter extends RequestLog {
  /** The number of the request: 1 for the first since the log was cleared. */
  begin(): number;
  end(request: LoggedRequest): void;
  addBug(error: unknown): void;
}

const KEPT_REQUESTS = 10_000;
const KEPT_BUGS = 10;

export function makeLog(): LogWriter {
  const requests: LoggedRequest[] = [];
  const bugs: unknown[] = [];
  const counts = new Map<Operation | null, number>();
  let [begun, underWay, peak, total] = [0, 0, 0, 0];
  return {
    requests,
    bugs,
    get peak() {
      return peak;
    },
    count: (operation) => (operation === undefined ? total : (counts.get(operation) ?? 0)),
    clear: () => {
      requests.length = 0;
      counts.clear();
      [begun, peak, total] = [0, underWay, 0];
    },
    begin: () => {
      underWay += 1;
      peak = Math.max(peak, underWay);
      begun += 1;
      return begun;
    },
    end: (request) => {
      underWay -= 1;
      total += 1;
      counts.set(request.operation, (counts.get(request.operation) ?? 0) + 1);
      requests.push(request);
      if (requests.length > KEPT_REQUESTS) requests.splice(0, KEPT_REQUESTS / 2);
    },
    addBug: (error) => {
      if (bugs.length < KEPT_BUGS) bugs.push(error);
    },
  };
}
