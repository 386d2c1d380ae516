import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { parse } from 'yaml';

/** An object of the API, as JSON. */
export type KubeObject = Record<string, unknown> & { metadata: Record<string, unknown> };

/**
 * A stand-in for an API server, since none can be installed from Debian: objects by their paths, merge patches (RFC 7386) with the
 * precondition of resourceVersion, the scale of workloads, tokens, and rights by verb and resource. Clusters are held against CloudNativePG's own CRD
 * where `EVENTCORE_CNPG_CRDS` names the folder that has it.
 */
export interface KubernetesApi {
  readonly endpoint: string;
  readonly token: string;
  readonly objects: Map<string, KubeObject>;
  /** As `patch clusters`; empty: everything is allowed. */
  rights: string[];
  /** Of each request, its method and path. */
  readonly log: string[];
  /** Called with an object before it is patched: somebody else may be quicker. */
  beforePatch: ((at: string) => void) | null;
  /** Called after an object was patched: what an operator does. */
  afterPatch: ((at: string, object: KubeObject) => void) | null;
  put(at: string, object: Record<string, unknown>): KubeObject;
  close(): Promise<void>;
}

const MERGE_PATCH = 'application/merge-patch+json';

export async function startKubernetesApi(
  tls: { readonly key: string; readonly cert: string } | null = null,
): Promise<KubernetesApi> {
  let version = 100;
  const put = (at: string, object: Record<string, unknown>): KubeObject => {
    version += 1;
    const metadata = { ...(object.metadata as object), resourceVersion: String(version) };
    const stored = { ...structuredClone(object), metadata };
    world.objects.set(at, stored);
    return stored;
  };
  const world = {
    ...{
      token: 'test-token',
      objects: new Map<string, KubeObject>(),
      rights: [] as string[],
      log: [] as string[],
    },
    beforePatch: null as KubernetesApi['beforePatch'],
    afterPatch: null as KubernetesApi['afterPatch'],
    put,
  };
  const listener: RequestListener = async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const method = request.method ?? 'GET';
    world.log.push(`${method} ${request.url}`);
    const reply = (code: number, body: unknown): void => {
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const fail = (code: number, message: string): void =>
      reply(code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code });
    if (request.headers.authorization !== `Bearer ${world.token}`) return fail(401, 'Unauthorized');
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x');
    const right = rightOf(method, pathname);
    if (world.rights.length > 0 && !world.rights.includes(right))
      return fail(403, `User "dr" cannot ${right}`);
    const selector = searchParams.get('labelSelector');
    if (method === 'GET' && pathname.endsWith('/pods'))
      return reply(200, { kind: 'PodList', items: list(world.objects, pathname, selector) });
    const at = pathname.replace(/\/scale$/, '');
    const isScale = at !== pathname;
    if (!world.objects.has(at)) return fail(404, `${pathname} not found`);
    if (method === 'GET')
      return reply(200, isScale ? scaleOf(world.objects.get(at)!) : world.objects.get(at));
    if (method !== 'PATCH' || request.headers['content-type'] !== MERGE_PATCH)
      return fail(415, 'only merge patches');
    world.beforePatch?.(at);
    const object = world.objects.get(at)!;
    const patch = JSON.parse(Buffer.concat(parts).toString('utf8')) as KubeObject;
    const wanted = patch.metadata?.resourceVersion;
    if (wanted !== undefined && wanted !== object.metadata.resourceVersion)
      return fail(409, 'the object has been modified');
    const changed = merge(object, patch) as KubeObject;
    const wrong = at.includes('/clusters/') ? whyInvalid(changed) : null;
    if (wrong !== null) return fail(422, `Cluster is invalid: ${wrong}`);
    const stored = put(at, changed);
    world.afterPatch?.(at, stored);
    reply(200, isScale ? scaleOf(stored) : stored);
  };
  const server = tls === null ? http.createServer(listener) : https.createServer(tls, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(world, {
    endpoint: `${tls === null ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

function rightOf(method: string, pathname: string): string {
  const parts = pathname.split('/').filter((part) => part !== '');
  const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  const [resource, name, sub] = rest[0] === 'namespaces' ? rest.slice(2) : rest;
  const verb = method === 'PATCH' ? 'patch' : name === undefined ? 'list' : 'get';
  return `${verb} ${resource}${sub === undefined ? '' : `/${sub}`}`;
}

function list(
  objects: ReadonlyMap<string, KubeObject>,
  folder: string,
  selector: string | null,
): KubeObject[] {
  const wanted = (selector ?? '')
    .split(',')
    .filter((one) => one !== '')
    .map((one) => one.split('='));
  return [...objects]
    .filter(([at]) => at.startsWith(`${folder}/`))
    .map(([, object]) => object)
    .filter(({ metadata }) => {
      const labels = (metadata.labels ?? {}) as Record<string, string>;
      return wanted.every(([key, value]) => labels[key!] === value);
    });
}

function scaleOf({ metadata, spec, status }: KubeObject): KubeObject {
  const [{ replicas, selector }, now] = [
    spec as { replicas: number; selector: { matchLabels: object } },
    status,
  ];
  const labels = Object.entries(selector.matchLabels).map(([key, value]) => `${key}=${value}`);
  return {
    ...{ kind: 'Scale', apiVersion: 'autoscaling/v1', metadata, spec: { replicas } },
    status: { replicas: (now as { replicas?: number })?.replicas ?? 0, selector: labels.join(',') },
  };
}

/** RFC 7386. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> = {
    ...(typeof target === 'object' && !Array.isArray(target) ? target : {}),
  };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
}

let clusterSchema: Schema | null | undefined;

/** CloudNativePG's schema of a Cluster; null, said aloud, where it is not at hand. */
export function loadClusterSchema(): Schema | null {
  if (clusterSchema !== undefined) return clusterSchema;
  const file = path.join(process.env.EVENTCORE_CNPG_CRDS ?? '', 'clusters.yaml');
  if (process.env.EVENTCORE_CNPG_CRDS === undefined || !existsSync(file)) {
    console.error(
      'SKIPPED: Clusters are not held against the CRD of CloudNativePG; EVENTCORE_CNPG_CRDS names its folder',
    );
    clusterSchema = null;
    return null;
  }
  const crd = parse(readFileSync(file, 'utf8')) as {
    spec: { versions: { schema: { openAPIV3Schema: Schema } }[] };
  };
  clusterSchema = crd.spec.versions[0]!.schema.openAPIV3Schema;
  return clusterSchema;
}

/** What of a Cluster its schema does not allow, unknown fields too; null when all is well. */
export function whyInvalid(cluster: KubeObject): string | null {
  const schema = loadClusterSchema();
  return schema === null ? null : mismatch(cluster, schema, '');
}

function mismatch(value: unknown, schema: Schema, at: string): string | null {
  if (at === '.metadata' || schema['x-kubernetes-int-or-string'] === true) return null;
  const wrong = wrongScalar(value, schema);
  if (wrong !== null) return `${at}: ${wrong}`;
  if (Array.isArray(value))
    return first(value.map((one, i) => mismatch(one, schema.items ?? {}, `${at}[${i}]`)));
  if (typeof value !== 'object' || value === null) return null;
  const missing = schema.required?.find((key) => !Object.hasOwn(value, key));
  if (missing !== undefined) return `${at}.${missing}: is required`;
  return first(
    Object.entries(value).map(([key, one]) => {
      const known = schema.properties?.[key];
      if (known !== undefined) return mismatch(one, known, `${at}.${key}`);
      const { additionalProperties: others } = schema;
      if (typeof others === 'object') return mismatch(one, others, `${at}.${key}`);
      const isFree =
        schema.properties === undefined || schema['x-kubernetes-preserve-unknown-fields'] === true;
      return isFree ? null : `${at}.${key}: unknown field`;
    }),
  );
}

const first = (all: readonly (string | null)[]): string | null => all.find((one) => one !== null) ?? null;

function wrongScalar(
  value: unknown,
  { type, enum: allowed, minimum, maximum, pattern }: Schema,
): string | null {
  const found = Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
  const fits = type === undefined || type === found || (type === 'number' && found === 'integer');
  if (!fits) return `is of type ${found}, not ${type}`;
  if (allowed !== undefined && !allowed.includes(value)) return `is none of ${allowed.join(', ')}`;
  if (typeof value === 'number' && (value < (minimum ?? value) || value > (maximum ?? value)))
    return 'is out of range';
  if (typeof value === 'string' && pattern !== undefined && !new RegExp(pattern).test(value))
    return `is not as ${pattern}`;
  return null;
}
