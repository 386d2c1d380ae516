/** Under which licences that is which users of the package get with it. */

/** Those that ask for no more than to be named: what is under them may be used by anyone, for anything. */
const ALLOWED: ReadonlySet<string> = new Set([
  ...['MIT', 'MIT-0', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0'],
]);

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** A package-lock.json, as far as it matters here. */
export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

export interface Licensed {
  readonly path: string;
  readonly version: string;
  /** Null: it does not say. */
  readonly licence: string | null;
}

/** All that the package needs, and what it may be used with, whatever lies in between; by path. */
export function productionPackages({ packages }: Lock): Licensed[] {
  const root = packages[''] ?? {};
  const found = new Map<string, Licensed>();
  const wanted = [...names(root.dependencies), ...names(root.peerDependencies)].map((name) => ({
    name,
    from: '',
  }));
  for (let next = wanted.pop(); next !== undefined; next = wanted.pop()) {
    const path = resolvePath(packages, next.name, next.from);
    if (path === null || found.has(path)) continue;
    const { version = '', license = null, dependencies, optionalDependencies } = packages[path]!;
    found.set(path, { path, version, licence: license });
    for (const name of [...names(dependencies), ...names(optionalDependencies)])
      wanted.push({ name, from: path });
  }
  return [...found.values()].sort((one, other) => (one.path < other.path ? -1 : 1));
}

/** Where Node would find it; null: it is optional, and not there. */
function resolvePath(packages: Lock['packages'], name: string, from: string): string | null {
  for (let folder = from; ; folder = folder.replace(/(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+$/, '')) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (folder === '') return null;
  }
}

/** Those that nobody said yes to, or that do not say what they are under. Of `A OR B` one is enough. */
export function refusedPackages(packages: readonly Licensed[]): Licensed[] {
  return packages.filter(({ licence }) => {
    const choices = (licence ?? '').replaceAll(/[()]/g, '').split(' OR ');
    return !choices.some((choice) => choice.split(' AND ').every((one) => ALLOWED.has(one)));
  });
}

function names(dependencies: Readonly<Record<string, string>> = {}): string[] {
  return Object.keys(dependencies);
}
