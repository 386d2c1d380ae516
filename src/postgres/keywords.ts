import { BackupError } from '../core/errors.ts';
import { OWN_PARAMETERS } from '../core/postgres-address.ts';

/** A parameter of libpq: its variable, and what it may be. */
interface Keyword {
  readonly env?: string;
  readonly values?: readonly string[];
  /** Digits alone, with a sign where libpq takes one. */
  readonly isNumber?: true;
}

const SWITCH = ['0', '1'];
const TLS_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];

/** What is understood, by the names of libpq (PostgreSQL's manual, "Parameter Key Words" and "Environment Variables"). */
export const KEYWORDS = {
  host: { env: 'PGHOST' },
  hostaddr: { env: 'PGHOSTADDR' },
  port: { env: 'PGPORT' },
  dbname: { env: 'PGDATABASE' },
  user: { env: 'PGUSER' },
  password: { env: 'PGPASSWORD' },
  passfile: { env: 'PGPASSFILE' },
  service: { env: 'PGSERVICE' },
  servicefile: { env: 'PGSERVICEFILE' },
  require_auth: { env: 'PGREQUIREAUTH' },
  channel_binding: { env: 'PGCHANNELBINDING', values: ['disable', 'prefer', 'require'] },
  connect_timeout: { env: 'PGCONNECT_TIMEOUT', isNumber: true },
  options: { env: 'PGOPTIONS' },
  application_name: { env: 'PGAPPNAME' },
  fallback_application_name: {},
  keepalives: { isNumber: true },
  keepalives_idle: { isNumber: true },
  sslmode: {
    env: 'PGSSLMODE',
    values: ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'],
  },
  sslnegotiation: { env: 'PGSSLNEGOTIATION', values: ['postgres', 'direct'] },
  sslcert: { env: 'PGSSLCERT' },
  sslkey: { env: 'PGSSLKEY' },
  sslpassword: {},
  sslcertmode: { env: 'PGSSLCERTMODE', values: ['disable', 'allow'] },
  sslrootcert: { env: 'PGSSLROOTCERT' },
  sslcrl: { env: 'PGSSLCRL' },
  sslcrldir: { env: 'PGSSLCRLDIR' },
  sslsni: { env: 'PGSSLSNI', values: SWITCH },
  ssl_min_protocol_version: { env: 'PGSSLMINPROTOCOLVERSION', values: TLS_VERSIONS },
  ssl_max_protocol_version: { env: 'PGSSLMAXPROTOCOLVERSION', values: TLS_VERSIONS },
  gssencmode: { env: 'PGGSSENCMODE', values: ['disable', 'prefer'] },
  target_session_attrs: {
    env: 'PGTARGETSESSIONATTRS',
    values: ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'],
  },
  load_balance_hosts: { env: 'PGLOADBALANCEHOSTS', values: ['disable', 'random'] },
} as const satisfies Record<string, Keyword>;

export type KeywordName = keyof typeof KEYWORDS;

/** Parameters by name; what is not there has its default. */
export type Parameters = Partial<Readonly<Record<KeywordName, string>>>;

/** Of libpq or of the driver, and without meaning here: texts are UTF-8, and the rest concerns what is not spoken or cannot be set. */
const IGNORED = [
  ...['client_encoding', 'sslcompression', 'keepalives_interval', 'keepalives_count', 'tcp_user_timeout'],
  ...['krbsrvname', 'gsslib', 'gssdelegation', 'min_protocol_version', 'max_protocol_version'],
  ...['uselibpqcompat', 'encoding'],
];

/** How addresses for the driver were written, and still may be. */
const ALIASES: Readonly<Record<string, Readonly<Record<string, Parameters>>>> = {
  ssl: {
    true: { sslmode: 'require' },
    '1': { sslmode: 'require' },
    false: { sslmode: 'disable' },
    '0': { sslmode: 'disable' },
    'no-verify': { sslmode: 'require' },
  },
  sslmode: { 'no-verify': { sslmode: 'require' } },
};

/** They ask for protection that we do not have: who set one must know. */
const REFUSED_VARIABLES = ['PGREQUIREPEER'];
const UNSET = { hint: 'unset it for this program; docs/connections.md says what is supported' };

/** Throws `usage` for what is unknown, as libpq does: a misspelt sslmode must not mean that nothing is encrypted. */
export function readParameters(given: Iterable<readonly [string, string]>, where: string): Parameters {
  const parameters: Partial<Record<KeywordName, string>> = {};
  for (const [name, value] of given) {
    if (IGNORED.includes(name) || (OWN_PARAMETERS as readonly string[]).includes(name)) continue;
    const alias = ALIASES[name]?.[value];
    if (alias !== undefined) Object.assign(parameters, alias);
    else if (isKeyword(name)) parameters[name] = checked(name, value, where);
    else throw unknown(name, where);
  }
  return parameters;
}

/** What the environment says; variables that are empty count as not set. Throws `usage` for what is not understood, or not supported. */
export function environmentParameters(env: Readonly<Record<string, string | undefined>>): Parameters {
  const parameters: Partial<Record<KeywordName, string>> = {};
  for (const variable of REFUSED_VARIABLES)
    if (env[variable]) throw new BackupError('usage', `the variable ${variable} is not supported`, UNSET);
  // An old name, which still counts in libpq where the new one is not set.
  if (env.PGREQUIRESSL === '1') parameters.sslmode = 'require';
  for (const name of Object.keys(KEYWORDS) as KeywordName[]) {
    const variable = (KEYWORDS[name] as Keyword).env;
    const value = variable === undefined ? undefined : env[variable];
    if (value) parameters[name] = checked(name, value, `the variable ${variable}`);
  }
  return parameters;
}

function isKeyword(name: string): name is KeywordName {
  return Object.hasOwn(KEYWORDS, name);
}

function checked(name: KeywordName, value: string, where: string): string {
  const { values, isNumber } = KEYWORDS[name] as Keyword;
  if (values !== undefined && !values.includes(value)) {
    throw new BackupError('usage', `${where}: ${name}=${value} is not understood`, {
      hint: `${name} may be ${values.join(', ')}`,
    });
  }
  if (isNumber && !/^\s*[+-]?\d{1,9}\s*$/.test(value)) {
    throw new BackupError('usage', `${where}: ${name}=${value} is no number`);
  }
  return value;
}

/** The value is not repeated: under a misspelt name it may be a password. */
function unknown(name: string, where: string): BackupError {
  const shown = /^[\w-]{1,63}$/.test(name) ? name : 'a parameter';
  return new BackupError('usage', `${where}: ${shown} is not understood`, {
    hint: `parameters are those of libpq that docs/connections.md lists, and ${OWN_PARAMETERS.join(', ')}`,
  });
}
