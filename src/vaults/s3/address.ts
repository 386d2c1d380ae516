import { BackupError } from '../../core/errors.ts';

/** What an address of a bucket says: `s3://bucket/prefix?…`, or `glacier://` for one of an archive class. */
export interface S3Address {
  readonly bucket: string;
  /** Before every name; empty, or it ends with "/". */
  readonly root: string;
  readonly region: string | null;
  /** Where another server than Amazon's is asked. */
  readonly endpoint: string | null;
  readonly forcePathStyle: boolean;
  readonly storageClass: string | null;
  readonly sse: 'AES256' | 'aws:kms' | null;
  readonly sseKmsKeyId: string | null;
  /** How long each object is locked from when it is written. */
  readonly lock: { readonly mode: 'governance' | 'compliance'; readonly days: number } | null;
  /** How long a recalled object stays readable. */
  readonly recallDays: number;
  /** Not the vault as it is, but each object as it was first written, or the vault as it was at an instant. */
  readonly view: View | null;
  /** The same, in one way of writing: another process opens the same vault by it. */
  readonly text: string;
}

export type View = 'first' | { readonly asOfMs: number };

const SCHEMES = ['s3', 'glacier'];
const PARAMETERS = [
  ...['region', 'endpoint', 'forcePathStyle', 'storageClass', 'sse', 'sseKmsKeyId'],
  ...['lock', 'lockDays', 'recallDays', 'versions', 'asOf'],
] as const;
type Parameter = (typeof PARAMETERS)[number];
type Parameters = Readonly<Partial<Record<Parameter, string>>>;

const ADDRESS = /^([a-z0-9]+):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
/** What every server takes as part of a key, and every tool shows as it is. */
const PREFIX = /^[A-Za-z0-9!_.*'()=/-]{0,500}$/;
const DEFAULT_RECALL_DAYS = 7;
const MAX_DAYS = 36_500;

/** Throws `usage`; a message never repeats a value that could be a secret. */
export function parseS3Address(text: string): S3Address {
  const match = ADDRESS.exec(text);
  const [scheme, bucket, prefix, query] = match === null ? [] : match.slice(1);
  if (scheme === undefined || !SCHEMES.includes(scheme.toLowerCase()))
    throw bad('it does not begin with s3://');
  const given = readParameters(query ?? '');
  if (bucket!.includes('@')) throw credentials();
  if (!BUCKET.test(bucket!)) throw bad('its bucket has no name that a bucket can have');
  const root = readPrefix(prefix ?? '');
  const glacier = scheme.toLowerCase() === 'glacier';
  const parsed = {
    ...{ bucket: bucket!, root, region: word(given, 'region'), endpoint: readEndpoint(given) },
    forcePathStyle: readFlag(given, 'forcePathStyle'),
    storageClass: word(given, 'storageClass') ?? (glacier ? 'GLACIER' : null),
    ...readEncryption(given),
    ...{ lock: readLock(given), recallDays: readDays(given, 'recallDays') ?? DEFAULT_RECALL_DAYS },
    view: readView(given),
  };
  return { ...parsed, text: write(scheme.toLowerCase(), parsed, given) };
}

function readParameters(query: string): Parameters {
  const given: Partial<Record<Parameter, string>> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (/secret|token|password|access.?key/i.test(name)) throw credentials();
    const known = PARAMETERS.find((parameter) => parameter === name);
    if (known === undefined) throw bad(`it has an unknown parameter ${JSON.stringify(name.slice(0, 40))}`);
    if (given[known] !== undefined) throw bad(`it has ${known} twice`);
    if (value === '') throw bad(`its ${known} is empty`);
    given[known] = value;
  }
  return given;
}

function readPrefix(prefix: string): string {
  const trimmed = prefix.replace(/^\/+|\/+$/g, '');
  const segments = trimmed.split('/');
  const isClean = PREFIX.test(trimmed) && segments.every((segment) => !['.', '..'].includes(segment));
  if (trimmed !== '' && (!isClean || segments.includes(''))) {
    throw bad('its prefix must be letters, digits and !_.*\'()=- in segments joined by "/"');
  }
  return trimmed === '' ? '' : `${trimmed}/`;
}

function readEndpoint({ endpoint }: Parameters): string | null {
  if (endpoint === undefined) return null;
  if (!URL.canParse(endpoint)) throw bad('its endpoint is no URL such as http://127.0.0.1:9000');
  const url = new URL(endpoint);
  if (url.username !== '' || url.password !== '') throw credentials();
  if (!['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    throw bad('its endpoint is no URL such as http://127.0.0.1:9000');
  }
  return endpoint;
}

function readFlag(given: Parameters, name: Parameter): boolean {
  const value = given[name] ?? 'false';
  if (value !== 'true' && value !== 'false') throw bad(`its ${name} is neither true nor false`);
  return value === 'true';
}

/** Goes into a header as it is. */
function word(given: Parameters, name: Parameter): string | null {
  const value = given[name];
  if (value === undefined) return null;
  if (!/^[\w:/.-]{1,256}$/.test(value)) throw bad(`its ${name} is none`);
  return value;
}

function readEncryption(given: Parameters): Pick<S3Address, 'sse' | 'sseKmsKeyId'> {
  const { sse = null } = given;
  const sseKmsKeyId = word(given, 'sseKmsKeyId');
  if (sse !== null && sse !== 'AES256' && sse !== 'aws:kms')
    throw bad('its sse is neither AES256 nor aws:kms');
  if (sseKmsKeyId !== null && sse !== 'aws:kms') throw bad('sseKmsKeyId goes with sse=aws:kms');
  return { sse, sseKmsKeyId };
}

function readLock(given: Parameters): S3Address['lock'] {
  const { lock: mode } = given;
  const days = readDays(given, 'lockDays');
  if (mode === undefined && days === null) return null;
  if (mode !== 'governance' && mode !== 'compliance')
    throw bad('its lock is neither governance nor compliance');
  if (days === null) throw bad('lock goes with lockDays');
  return { mode, days };
}

function readDays(given: Parameters, name: Parameter): number | null {
  const value = given[name];
  if (value === undefined) return null;
  const days = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (days < 1 || days > MAX_DAYS) throw bad(`its ${name} is no number of days from 1 to ${MAX_DAYS}`);
  return days;
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)$/;

function readView({ versions, asOf }: Parameters): View | null {
  if (versions !== undefined && versions !== 'first') throw bad('its versions is not first');
  if (versions !== undefined && asOf !== undefined) throw bad('versions and asOf exclude each other');
  if (asOf === undefined) return versions ?? null;
  // In a query "+" is a space.
  const text = asOf.replace(' ', '+');
  const asOfMs = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(asOfMs)) throw bad('its asOf is no time such as 2026-03-01T12:00:00Z');
  return { asOfMs };
}

function write(
  scheme: string,
  { bucket, root }: Pick<S3Address, 'bucket' | 'root'>,
  given: Parameters,
): string {
  const query = PARAMETERS.flatMap((name) => {
    const value = given[name];
    return value === undefined ? [] : [`${name}=${value.replace(/[%&#+ ]/g, encodeURIComponent)}`];
  }).join('&');
  const path = `${scheme}://${bucket}${root === '' ? '' : `/${root.slice(0, -1)}`}`;
  return query === '' ? path : `${path}?${query}`;
}

function bad(reason: string): BackupError {
  return new BackupError('usage', `not the address of a bucket: ${reason}`, {
    hint: `write s3://bucket/prefix or glacier://bucket/prefix, then ? and any of ${PARAMETERS.join(', ')}`,
  });
}

function credentials(): BackupError {
  return new BackupError('usage', 'not the address of a bucket: it has credentials in it', {
    hint: 'leave them out: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or the role of the machine give them',
  });
}
