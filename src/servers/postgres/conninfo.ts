import { BackupError } from '../../core/errors.ts';

export interface Upstream {
  readonly host: string;
  readonly port: number;
}

/** What names the server itself; all else says how to speak to it. */
const PLACE = ['host', 'hostaddr', 'port'];
const URI = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^/?#]*)(\/[^?#]*)?(?:\?(.*))?$/s;

/**
 * A connection string of libpq, in either of its forms, that leads to another server; everything else in it stays. Throws
 * `store_refused` for what libpq would not read, without repeating it: it may hold a password.
 */
export function withUpstream(conninfo: string, { host, port }: Upstream): string {
  const uri = URI.exec(conninfo);
  if (uri !== null) {
    const [, user, , database = '', query = ''] = uri;
    const rest = query.split('&').filter((part) => part !== '' && !PLACE.includes(part.split('=')[0]!));
    const place = `${host.includes(':') ? `[${host}]` : encodeURIComponent(host)}:${port}`;
    return `postgresql://${user === undefined ? '' : `${user}@`}${place}${database}${rest.length === 0 ? '' : `?${rest.join('&')}`}`;
  }
  const kept = [...parseConninfo(conninfo)].filter(([keyword]) => !PLACE.includes(keyword));
  return formatConninfo([['host', host], ['port', String(port)], ...kept]);
}

/** Whether a connection string leads to that server already. */
export function namesUpstream(conninfo: string, upstream: Upstream): boolean {
  if (URI.test(conninfo)) return withUpstream(conninfo, upstream) === conninfo;
  const parameters = parseConninfo(conninfo);
  const port = parameters.get('port') ?? '5432';
  return (
    !parameters.has('hostaddr') && parameters.get('host') === upstream.host && port === String(upstream.port)
  );
}

/** Keyword and value, as they stand; of a keyword that is there twice the last counts. */
export function parseConninfo(conninfo: string): Map<string, string> {
  const parameters = new Map<string, string>();
  // Blanks may stand around the sign; a value is quoted or ends at a blank; a backslash takes the next character as it is.
  const pattern = /\s*([^\s=]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*|(?=\s|$)))/sy;
  let at = 0;
  while (conninfo.slice(at).trim() !== '') {
    pattern.lastIndex = at;
    const match = pattern.exec(conninfo);
    if (match === null) throw unreadable();
    const [, keyword, quoted, plain = ''] = match;
    parameters.set(keyword!, (quoted ?? plain).replace(/\\(.)/gs, '$1'));
    at = pattern.lastIndex;
  }
  return parameters;
}

export function formatConninfo(parameters: Iterable<readonly [string, string]>): string {
  return [...parameters].map(([keyword, value]) => `${keyword}=${quoteValue(value)}`).join(' ');
}

function quoteValue(value: string): string {
  return /^[\w./:@%+-]+$/.test(value) ? value : `'${value.replace(/[\\']/g, '\\$&')}'`;
}

function unreadable(): BackupError {
  return new BackupError('store_refused', 'primary_conninfo of the standby is not a connection string', {
    hint: 'correct it there: keyword=value with blanks between, values with blanks in single quotes',
  });
}
