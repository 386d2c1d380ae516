import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { BackupError, type ErrorCode } from '../../core/errors.ts';

/** Where an API server is, and as whom it is asked. */
export interface KubernetesAccess {
  /** `https://host:port` */
  readonly server: string;
  /** Certificates in PEM that the server's own is signed with; null: those that this host trusts. Read at each request, as is the token. */
  readonly ca: () => Promise<string | null>;
  readonly token: () => Promise<string>;
  readonly namespace: string;
  /** The longest that one answer is waited for, whatever the caller would wait. */
  readonly requestMs?: number;
}

/** What an object of the API looks like, as far as it is looked at. */
export type ApiObject = Readonly<Record<string, unknown>>;

export interface KubernetesClient {
  readonly describe: string;
  readonly namespace: string;
  /** Null when there is no such object. */
  get(path: string, signal: AbortSignal): Promise<ApiObject | null>;
  /** By a merge patch (RFC 7386); null when the object was changed since the version that the patch names. */
  patch(path: string, body: ApiObject, signal: AbortSignal): Promise<ApiObject | null>;
}

const REQUEST_MS = 10_000;
const MOST_BYTES = 16 << 20;
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** As a pod finds it in itself. Its token is renewed in place. Throws `config_invalid` outside of a pod. */
export function accessInPod(
  env: Readonly<Record<string, string | undefined>>,
  namespace: string,
): KubernetesAccess {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (host === undefined) {
    throw new BackupError('config_invalid', 'no API server of Kubernetes is named, and this is no pod', {
      hint: 'write `api`, `token` and `ca` beside `namespace`',
    });
  }
  return {
    ...{ server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`, namespace },
    ca: () => readFile(`${ACCOUNT}/ca.crt`, 'utf8'),
    token: () => readFile(`${ACCOUNT}/token`, 'utf8'),
  };
}

/**
 * Asks an API server over HTTPS, each time on a connection of its own. All failures carry one code, and say what right is missing where one is.
 */
export function kubernetesClient(access: KubernetesAccess, code: ErrorCode): KubernetesClient {
  const { origin } = new URL(access.server);
  const fail: Fail = (reason, hint, facts = {}) =>
    new BackupError(code, `the API server ${origin} ${reason}`, { hint, facts });
  const ask = (call: ApiCall, signal: AbortSignal) => request(access, call, { fail, signal });
  return {
    ...{ describe: origin, namespace: access.namespace },
    get: async (path, signal) => {
      const { status, body } = await ask({ method: 'GET', path }, signal);
      if (status === 404) return null;
      if (status === 200) return parseObject(body, fail);
      throw refusal({ method: 'GET', path }, status, { body, fail });
    },
    patch: async (path, patch, signal) => {
      const call: ApiCall = { method: 'PATCH', path, body: JSON.stringify(patch) };
      const { status, body } = await ask(call, signal);
      if (status === 409) return null;
      if (status === 200) return parseObject(body, fail);
      throw refusal(call, status, { body, fail });
    },
  };
}

type Fail = (reason: string, hint: string, facts?: Record<string, number>) => BackupError;

interface ApiCall {
  readonly method: 'GET' | 'PATCH';
  readonly path: string;
  readonly body?: string;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

async function request(
  access: KubernetesAccess,
  { method, path, body }: ApiCall,
  { fail, signal }: { readonly fail: Fail; readonly signal: AbortSignal },
): Promise<Answer> {
  const url = new URL(path, access.server);
  const [ca, token] = await Promise.all([access.ca(), access.token()]).catch(
    (error: NodeJS.ErrnoException) => {
      if (error instanceof BackupError) throw error;
      throw fail(
        `cannot be asked: the token or certificate cannot be read (${error.code ?? 'unknown'})`,
        TOKEN_HINT,
      );
    },
  );
  if (/[^\x21-\x7e]/.test(token.trim())) throw fail('cannot be asked: the token is none', TOKEN_HINT);
  const ends = AbortSignal.any([signal, AbortSignal.timeout(access.requestMs ?? REQUEST_MS)]);
  const headers = {
    ...{ accept: 'application/json', authorization: `Bearer ${token.trim()}` },
    ...(body === undefined ? {} : { 'content-type': 'application/merge-patch+json' }),
  };
  const options: https.RequestOptions = {
    method,
    headers,
    signal: ends,
    agent: false,
    ...(ca === null ? {} : { ca }),
  };
  try {
    return await send(url, options, body);
  } catch (error) {
    if (ends.aborted) throw fail('did not answer in time', NETWORK_HINT);
    throw fail(
      `cannot be reached (${(error as NodeJS.ErrnoException).code ?? 'no connection'})`,
      NETWORK_HINT,
    );
  }
}

function send(url: URL, options: https.RequestOptions, body: string | undefined): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const outgoing = (url.protocol === 'http:' ? http : https).request(url, options, (incoming) => {
    const parts: Buffer[] = [];
    let length = 0;
    incoming.on('data', (part: Buffer) => {
      parts.push(part);
      length += part.length;
      if (length > MOST_BYTES) incoming.destroy(Object.assign(new Error('too long'), { code: 'EMSGSIZE' }));
    });
    incoming.on('error', reject);
    incoming.on('end', () =>
      resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
    );
    incoming.on('close', () => reject(new Error('closed')));
  });
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}

function parseObject(body: string, fail: Fail): ApiObject {
  try {
    const object: unknown = JSON.parse(body);
    if (typeof object === 'object' && object !== null && !Array.isArray(object)) return object as ApiObject;
  } catch {
    // Told below.
  }
  throw fail(
    'answered something that is no object',
    'check that the address is that of an API server of Kubernetes',
  );
}

const TOKEN_HINT =
  'name a token of a service account that exists: kubectl create token NAME, or a Secret for a lasting one';
const NETWORK_HINT = 'check the address, the certificate under `ca` and the network between';
const MOST_WORDS = 300;

function refusal(
  call: ApiCall,
  status: number,
  { body, fail }: { readonly body: string; readonly fail: Fail },
): BackupError {
  const facts = { status };
  const words = statusWords(body);
  if (status === 401) return fail('does not know the token (401)', TOKEN_HINT, facts);
  if (status === 403) {
    return fail(
      `does not allow it (403)${words}`,
      `the service account needs this rule: ${ruleOf(call)}`,
      facts,
    );
  }
  if (status === 404)
    return fail(`has no such object (404): ${call.path}`, 'check the name and the namespace', facts);
  return fail(`refused it (${status})${words}`, 'what it says is about the object as it would be', facts);
}

function statusWords(body: string): string {
  try {
    const { message } = JSON.parse(body) as { readonly message?: unknown };
    return typeof message === 'string'
      ? `: ${message.replaceAll(/\p{Cc}+/gu, ' ').slice(0, MOST_WORDS)}`
      : '';
  } catch {
    return '';
  }
}

/** The rule of a Role that allows a call, as it is written there. */
export function ruleOf({ method, path }: Pick<ApiCall, 'method' | 'path'>): string {
  const parts = path
    .split('?')[0]!
    .split('/')
    .filter((part) => part !== '');
  const isCore = parts[0] === 'api';
  const rest = parts.slice(isCore ? 2 : 3);
  const [resource, name, sub] = rest[0] === 'namespaces' ? rest.slice(2) : rest;
  const verb = method === 'PATCH' ? 'patch' : name === undefined ? 'list' : 'get';
  const kind = rest[0] === 'namespaces' ? '' : ' (in a ClusterRole)';
  const full = sub === undefined ? resource : `${resource}/${sub}`;
  return `{apiGroups: ["${isCore ? '' : parts[1]}"], resources: ["${full}"], verbs: ["${verb}"]}${kind}`;
}
