/** Which databases of a server are stores of a fleet, by what is written on them there: pure. */

/** What a server tells of one of its databases. */
export interface ServerDatabase {
  readonly name: string;
  /** Of `ALTER DATABASE … SET eventcore.backup = '…'`; null: nobody set it. */
  readonly setting: string | null;
}

export interface FoundDatabase {
  readonly name: string;
  /** A label without a value is a mistake in the setting, and is told where labels are read. */
  readonly labels: Readonly<Record<string, string | null>>;
}

const YES: ReadonlySet<string> = new Set(['on', 'yes', 'true', '1']);
const NO: ReadonlySet<string> = new Set(['off', 'no', 'false', '0', '']);

/** Those that say so, and those with such a name that do not say no. `patterns`: names in which `*` stands for anything. */
export function chooseDatabases(
  databases: readonly ServerDatabase[],
  patterns: readonly string[],
): FoundDatabase[] {
  const fits = patterns.map(patternOf);
  return databases.flatMap(({ name, setting }) => {
    const said = setting?.trim() ?? null;
    if (said === null) return fits.some((one) => one.test(name)) ? [{ name, labels: {} }] : [];
    return NO.has(said.toLowerCase()) ? [] : [{ name, labels: labelsOf(said) }];
  });
}

/** `on`, or labels as `team=billing, tier=gold`. */
function labelsOf(said: string): FoundDatabase['labels'] {
  if (YES.has(said.toLowerCase())) return {};
  const pairs = said.split(',').map((part): [string, string | null] => {
    const at = part.indexOf('=');
    return at < 0 ? [part.trim(), null] : [part.slice(0, at).trim(), part.slice(at + 1).trim()];
  });
  return Object.fromEntries(pairs);
}

function patternOf(pattern: string): RegExp {
  return new RegExp(`^${pattern.split('*').map(literal).join('.*')}$`, 's');
}

function literal(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
}

/** Most of them at once is a disk that was not mounted, or another server at the address, rather than what somebody wanted. */
export function areTooManyGone(gone: number, left: number): boolean {
  return gone > 3 && gone > left;
}
