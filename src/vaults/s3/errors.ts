import { BackupError, type ErrorCode } from '../../core/errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly hint: string;
}

const refused = (hint: string): Meaning => ({ code: 'vault_refused', hint });
const unreachable = (hint: string): Meaning => ({ code: 'vault_unreachable', hint });
const full = (hint: string): Meaning => ({ code: 'vault_full', hint });

const NO_CREDENTIALS = refused(
  'give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile (AWS_PROFILE), or a role for this machine',
);
const RIGHTS = refused(
  'docs/s3.md lists the rights that are needed; a locked object, a policy of the bucket and a key of KMS refuse in the same way',
);
const NEW_SESSION = refused(
  'the credentials are for a session that has ended: get new ones, then start again',
);
const BUSY = unreachable(
  'the server asks for fewer requests, or is overloaded: try again later, or with less --parallel',
);
const CERTIFICATE = refused(
  'the certificate of the server is not trusted here: name its authority by NODE_EXTRA_CA_CERTS',
);
const LOCKLESS = refused(
  'the bucket has no Object Lock: leave lock out of the address, or make a bucket that has it',
);

const ARCHIVED: Meaning = {
  code: 'object_archived',
  hint: 'it lies in an archive tier: ask for its recall, and wait until it can be read',
};

/** What a name that S3, a server like it, or the client gives an error means for a vault. */
const BY_NAME: ReadonlyMap<string, Meaning> = new Map([
  ['CredentialsProviderError', NO_CREDENTIALS],
  ['TokenProviderError', NO_CREDENTIALS],
  ['AccessDenied', RIGHTS],
  ['Forbidden', RIGHTS],
  ['AllAccessDisabled', RIGHTS],
  ['AccountProblem', refused('Amazon has a problem with the account: see its console')],
  ['InvalidAccessKeyId', refused('the server does not know AWS_ACCESS_KEY_ID: check it, and the endpoint')],
  [
    'SignatureDoesNotMatch',
    refused('AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID, or region= is wrong'),
  ],
  ['AuthorizationHeaderMalformed', refused('the bucket lies in another region: name it with region=')],
  ['PermanentRedirect', refused('the bucket lies in another region: name it with region=')],
  ['IllegalLocationConstraintException', refused('the bucket lies in another region: name it with region=')],
  ['ExpiredToken', NEW_SESSION],
  ['ExpiredTokenException', NEW_SESSION],
  ['TokenRefreshRequired', NEW_SESSION],
  ['InvalidToken', refused('AWS_SESSION_TOKEN does not belong to the other credentials')],
  ['RequestTimeTooSkewed', refused('the clocks of this machine and of the server differ: set them by NTP')],
  ['RequestExpired', refused('the clocks of this machine and of the server differ: set them by NTP')],
  [
    'NoSuchBucket',
    refused('check bucket, region and endpoint: a bucket is never created or replaced by this program'),
  ],
  ['PreconditionFailed', { code: 'vault_object_exists', hint: 'nothing in a vault is overwritten' }],
  ['InvalidObjectState', ARCHIVED],
  ['ObjectNotInActiveTierError', ARCHIVED],
  ['ObjectLockConfigurationNotFoundError', LOCKLESS],
  ['QuotaExceeded', full('raise the quota of the bucket or its owner, or remove old backups')],
  ['InsufficientStorage', full('give the server more room, or remove old backups')],
  ['XMinioStorageFull', full('give the server more room, or remove old backups')],
  ['ServiceQuotaExceeded', full('raise the quota of the bucket or its owner, or remove old backups')],
  ['SlowDown', BUSY],
  ['Throttling', BUSY],
  ['ThrottlingException', BUSY],
  ['TooManyRequestsException', BUSY],
  ['RequestLimitExceeded', BUSY],
  ['ServiceUnavailable', BUSY],
  ['NoSuchUpload', unreachable('somebody else ended the upload of this object: start again')],
  ['KeyTooLongError', refused('choose a shorter prefix')],
  ['InvalidStorageClass', refused('the server has no such storageClass')],
]);

const UNAVAILABLE = unreachable('the server reports errors of its own: see its log, and try again later');
const UNUSUAL = refused(
  'the server does not take the request: docs/s3.md says which servers are known to work',
);
const NETWORK = unreachable('check the endpoint, the network and that the server runs');
const NO_REGION = 'name the region of the bucket with region=, or set AWS_REGION';

const AGAIN_BY_NAME = [
  ...[
    'TimeoutError',
    'AbortError',
    'RequestTimeout',
    'RequestTimeoutException',
    'InternalError',
    'IncompleteBody',
  ],
  ...['BadDigest', 'XAmzContentSHA256Mismatch', 'OperationAborted', 'ConditionalRequestConflict'],
];
/** What an untrusted certificate makes the connection say. */
const CERTIFICATE_CODE = /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET))/;

interface Answer {
  /** False for an error that no request made: a mistake in this program. */
  readonly isRequests: boolean;
  readonly name: string;
  readonly status: number | null;
  /** Of the operating system or TLS. */
  readonly errno: string | null;
  /** A refusal that may be one of a wrong time. The client says so of every error while the clocks differ by minutes. */
  readonly isSkewCorrected: boolean;
}

/** What there is to be read off a failed request. Its message is not among it: a server may put anything there. */
function look(error: unknown): Answer {
  const { name, code, $metadata } = error as {
    name?: unknown;
    code?: unknown;
    $metadata?: { httpStatusCode?: number; clockSkewCorrected?: boolean };
  };
  const known = typeof name === 'string' && /^[\w.]{1,64}$/.test(name) ? name : 'unknown';
  const status = $metadata?.httpStatusCode ?? null;
  const errno = typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? code : null;
  return {
    isRequests:
      $metadata !== undefined || errno !== null || BY_NAME.has(known) || AGAIN_BY_NAME.includes(known),
    ...{ name: known, errno, status },
    isSkewCorrected: $metadata?.clockSkewCorrected === true && [401, 403].includes(status ?? 0),
  };
}

export function nameOf(error: unknown): string {
  return look(error).name;
}

export function statusOf(error: unknown): number | null {
  return look(error).status;
}

/** True when the server is too busy, and should be left alone for longer. */
export function isThrottled(error: unknown): boolean {
  const { name, status } = look(error);
  return status === 429 || status === 503 || BY_NAME.get(name) === BUSY;
}

/** True when the same request may be answered otherwise. */
export function isWorthAnother(error: unknown): boolean {
  if (error instanceof BackupError) return false;
  const { isRequests, name, status, isSkewCorrected } = look(error);
  if (!isRequests) return false;
  if (AGAIN_BY_NAME.includes(name) || isThrottled(error) || isSkewCorrected) return true;
  if (status === null || status < 300) return meaningOf(error) === NETWORK;
  return status >= 500 && status !== 501 && status !== 507;
}

function meaningOf(error: unknown): Meaning {
  const { name, status, errno } = look(error);
  const known = BY_NAME.get(name);
  if (known !== undefined) return known;
  if (errno !== null && CERTIFICATE_CODE.test(errno)) return CERTIFICATE;
  if (status === 507) return full('give the server more room, or remove old backups');
  if (status === 401 || status === 403) return RIGHTS;
  if (status === 412) return BY_NAME.get('PreconditionFailed')!;
  if (status === 429) return BUSY;
  if (AGAIN_BY_NAME.includes(name) || (status !== null && status >= 500 && status !== 501))
    return UNAVAILABLE;
  return status === null || status < 300 ? NETWORK : UNUSUAL;
}

/** The BackupError for a failed request. What a server says in words stays out of it: it could echo credentials. */
export function toVaultError(error: unknown, doing: string): unknown {
  if (error instanceof BackupError) return error;
  if (error instanceof Error && error.message.startsWith('Region is missing')) {
    return new BackupError('vault_refused', `cannot ${doing}: no region is named`, { hint: NO_REGION });
  }
  const { isRequests, name, status, errno } = look(error);
  if (!isRequests) return error;
  const { code, hint } = meaningOf(error);
  const said = errno ?? (name === 'unknown' && status !== null ? `HTTP ${status}` : name);
  return new BackupError(code, `cannot ${doing} (${said})`, {
    hint,
    facts: { s3Error: said, httpStatus: status },
  });
}
