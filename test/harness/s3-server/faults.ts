import type { IncomingHttpHeaders } from 'node:http';
import type { Operation } from './routes.ts';

/** A request as a fault hook sees it: before anything was done about it. */
export interface SeenRequest {
  readonly operation: Operation;
  readonly bucketName: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly accessKeyId: string;
  /** 1 for the first request since the log was cleared. */
  readonly number: number;
}

/**
 * What goes wrong with a request. `cut-before`: the connection ends and nothing was done. `cut-after`: it was done, and
 * the connection ends before the answer. `silent`: nothing was done, and no answer ever comes. `status` with `code`: S3's
 * answer for that, with nothing done; 200 with a code is an error that came too late for the status.
 */
export type Fault =
  | 'cut-before'
  | 'cut-after'
  | 'silent'
  | { readonly status: number; readonly code: string; readonly headers?: Readonly<Record<string, string>> }
  /** The connection ends while the request's body comes. */
  | { readonly cutRequestAfterBytes: number }
  /** The connection ends while the answer's body goes. */
  | { readonly cutBodyAfterBytes: number }
  /** One bit of the answer's body is another one, from the byte at that place. */
  | { readonly flipBodyByte: number }
  /** All goes well, late. */
  | { readonly delayMs: number };

export type FaultHook = (request: SeenRequest) => Fault | null;

/** Whether the fault is of that kind, and its number. */
export function faultNumber(
  fault: Fault | null,
  kind: 'cutRequestAfterBytes' | 'cutBodyAfterBytes' | 'flipBodyByte' | 'delayMs',
): number | null {
  if (fault === null || typeof fault === 'string') return null;
  const value = (fault as Readonly<Record<string, unknown>>)[kind];
  return typeof value === 'number' ? value : null;
}
