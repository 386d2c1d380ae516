import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, type Call, requireRight } from './call.ts';
import { type Fault, type FaultHook, faultNumber } from './faults.ts';
import type { LogWriter } from './log.ts';
import { openPayload, readBody } from './payload.ts';
import { faultAnswer, refusal, sendAnswer } from './reply.ts';
import { findOperation, type Operation, ROUTES, rightFor } from './routes.ts';
import { S3Error } from './s3-error.ts';
import { findSigner } from './signature.ts';
import type { User, World } from './world.ts';

/** The server's own state besides what it stores. */
export interface Running {
  readonly world: World;
  readonly latencyMs: number;
  readonly log: LogWriter;
  readonly hook: { fault: FaultHook | null };
  readonly clock: { aheadMs: number; passedMs: number };
  readonly stopped: AbortController;
}

interface Target {
  readonly rawPath: string;
  readonly query: URLSearchParams;
  readonly bucketName: string;
  readonly key: string;
}

/** The connection is to end without an answer. */
class Cut extends Error {}

/** One request, from its first byte to the end of its answer. Throws nothing. */
export async function serve(
  running: Running,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Node takes it from a request that was not read to its end.
  const { socket } = request;
  const work: Work = {
    number: running.log.begin(),
    operation: null,
    target: null,
    requestBytes: 0,
    code: null,
    fault: null,
  };
  let [status, answerBytes] = [0, 0];
  try {
    const answer = await answerTo(running, request, work);
    const nowMs = Date.now() + running.clock.aheadMs;
    status = answer.status;
    answerBytes = await sendAnswer(response, answer, {
      ...{ isHead: request.method === 'HEAD', fault: work.fault, nowMs },
    });
  } catch (error) {
    // A client that ended the connection is no mistake of this server, nor is its own end.
    const isExpected = error instanceof Cut || socket.destroyed || running.stopped.signal.aborted;
    if (!isExpected) running.log.addBug(error);
    socket.destroy();
  }
  const { operation, target, requestBytes, code } = work;
  const { bucketName = '', key = '' } = target ?? {};
  running.log.end({ operation, bucketName, key, requestBytes, answerBytes, status, code });
}

/** What is known of a request so far, for the log and for the way its answer goes. */
interface Work {
  readonly number: number;
  operation: Operation | null;
  target: Target | null;
  requestBytes: number;
  code: string | null;
  fault: Fault | null;
}

async function answerTo(running: Running, request: IncomingMessage, work: Work): Promise<Answer> {
  const rawUrl = request.url ?? '/';
  try {
    work.target = readTarget(rawUrl);
    return await perform(running, request, work, work.target);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    work.code = error.code;
    return refusal(error, rawUrl.split('?')[0]!);
  }
}

async function perform(
  running: Running,
  request: IncomingMessage,
  work: Work,
  target: Target,
): Promise<Answer> {
  const { world } = running;
  const { headers, method = 'GET' } = request;
  const user = findSigner({ method, ...target, headers }, world.users, Date.now() + running.clock.aheadMs);
  const operation = findOperation(method, { ...target, isCopy: headers['x-amz-copy-source'] !== undefined });
  work.operation = operation;
  work.fault =
    running.hook.fault?.({
      ...{ operation, ...target, headers, accessKeyId: user.accessKeyId, number: work.number },
    }) ?? null;
  const raw = await receive(running, request, work);
  if (work.fault !== null && typeof work.fault === 'object' && 'status' in work.fault) {
    work.code = work.fault.code;
    return faultAnswer(work.fault, target.rawPath);
  }
  const payload = openPayload(headers, raw, !world.settings.ignores.has('checksums'));
  requireRight(user, rightFor(operation, target.query));
  const answer = handle(operation, { world, user, ...target, headers, payload });
  if (work.fault === 'cut-after') throw new Cut();
  return answer;
}

/** The body of the request, after whatever the fault and the server's latency have before it. */
async function receive(running: Running, request: IncomingMessage, work: Work): Promise<Buffer> {
  const { fault } = work;
  if (fault === 'cut-before') throw new Cut();
  if (fault === 'silent') {
    const { signal } = running.stopped;
    await Promise.race([once(request.socket, 'close'), once(signal, 'abort')]);
    throw new Cut();
  }
  const cutAfter = faultNumber(fault, 'cutRequestAfterBytes');
  const raw = await readBody(request, (totalBytes) => {
    work.requestBytes = totalBytes;
    if (cutAfter !== null && totalBytes >= cutAfter) throw new Cut();
  });
  if (cutAfter !== null) throw new Cut();
  const waitMs = running.latencyMs + (faultNumber(fault, 'delayMs') ?? 0);
  if (waitMs > 0) await sleep(waitMs, undefined, { signal: running.stopped.signal });
  return raw;
}

function handle(operation: Operation, call: Call): Answer {
  try {
    return ROUTES[operation].handle(call);
  } catch (error) {
    throw error instanceof S3Error ? hideFrom(call.user, error) : error;
  }
}

/** Who may not list is not told what is not there. */
function hideFrom(user: User, error: S3Error): S3Error {
  return error.code === 'NoSuchKey' && user.denied.has('ListBucket')
    ? new S3Error('AccessDenied', 'Access Denied')
    : error;
}

function readTarget(url: string): Target {
  const [rawPath = '/', ...rest] = url.split('?');
  const [, bucket = '', ...key] = rawPath.split('/');
  try {
    return {
      ...{ rawPath, query: new URLSearchParams(rest.join('?')) },
      ...{ bucketName: decodeURIComponent(bucket), key: decodeURIComponent(key.join('/')) },
    };
  } catch {
    throw new S3Error('InvalidArgument', 'the path is not well encoded');
  }
}
