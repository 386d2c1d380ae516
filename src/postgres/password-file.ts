import { readFileSync, statSync } from 'node:fs';

/** Whom a password is wanted for. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/** `refused`: why the file may not be used though it is there. */
export interface FoundPassword {
  readonly password: string | null;
  readonly refused: string | null;
}

const NOTHING: FoundPassword = { password: null, refused: null };
const GROUP_AND_WORLD = 0o077;

/** Looks for a password as libpq does: the first line that fits; a file that others may read is not used. */
export function findPassword(path: string, login: Login): FoundPassword {
  try {
    const info = statSync(path);
    // Such as a folder, or /dev/null, with which people turn the file off.
    if (!info.isFile()) return NOTHING;
    if (process.platform !== 'win32' && (info.mode & GROUP_AND_WORLD) !== 0) {
      const refused = `password file ${path} has group or world access; permissions should be u=rw (0600) or less`;
      return { password: null, refused };
    }
    return { password: passwordIn(readFileSync(path, 'utf8'), login), refused: null };
  } catch {
    return NOTHING;
  }
}

/** Lines are `host:port:database:user:password`; a backslash takes the next character as it is, and `*` stands for all. */
export function passwordIn(text: string, login: Login): string | null {
  const wanted = [login.host, String(login.port), login.database, login.user];
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue;
    const fields = splitLine(line);
    const password = fields[wanted.length];
    if (password === undefined) continue;
    if (wanted.every((value, i) => fields[i]!.raw === '*' || fields[i]!.value === value))
      return password.value;
  }
  return null;
}

function splitLine(line: string): { readonly raw: string; readonly value: string }[] {
  const fields = [];
  for (const [, raw = '', end] of line.matchAll(/((?:[^:\\]|\\.|\\$)*)(:|$)/g)) {
    fields.push({ raw, value: raw.replace(/\\(.)/g, '$1') });
    if (end === '') break;
  }
  return fields;
}
