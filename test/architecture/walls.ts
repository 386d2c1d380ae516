/**
 * Who may import whom. A room is a folder under src/ (or one file); the first row that a module's path starts
 * with is its room. A module may import its own room, the rooms of its row, and the packages of its row.
 */
export const WALLS: readonly Wall[] = [
  { room: 'core/', rooms: [], packages: [] },
  // croner says when a schedule is due; it reads no clock of its own.
  { room: 'policy/', rooms: ['core/'], packages: ['croner'] },
  { room: 'format/', rooms: ['core/'], packages: ['node:crypto', 'node:zlib'] },

  // How a server of PostgreSQL is reached, by whichever room does it.
  { room: 'postgres/', rooms: ['core/'], packages: ['node:*', 'pg'] },

  { room: 'stores/layouts/', rooms: ['core/'], packages: [] },
  { room: 'stores/memory/', rooms: ['core/', 'stores/layouts/'], packages: ['node:*'] },
  { room: 'stores/sqlite/', rooms: ['core/', 'stores/layouts/'], packages: ['node:*'] },
  { room: 'stores/files/', rooms: ['core/'], packages: ['node:*'] },
  // Over stores that it is given.
  { room: 'stores/shards/', rooms: ['core/'], packages: [] },
  {
    room: 'stores/postgres/',
    rooms: ['core/', 'postgres/', 'stores/layouts/'],
    packages: ['node:*', 'pg', 'pg-copy-streams'],
  },

  { room: 'vaults/memory/', rooms: ['core/'], packages: [] },
  {
    room: 'vaults/fs/',
    rooms: ['core/'],
    packages: ['node:fs', 'node:fs/promises', 'node:path', 'node:os', 'node:crypto'],
  },
  {
    room: 'vaults/s3/',
    rooms: ['core/'],
    packages: ['node:crypto', 'node:http', 'node:https', 'node:timers/promises', '@aws-sdk/client-s3'],
  },
  { room: 'vaults/wrappers/', rooms: ['core/'], packages: ['node:timers/promises'] },

  // How programs of the operator are run and webhooks called, by whichever room does it.
  { room: 'outside/', rooms: ['core/'], packages: ['node:child_process', 'node:crypto'] },

  {
    room: 'keys/',
    rooms: ['core/', 'format/', 'outside/'],
    packages: ['node:*', 'age-encryption', '@aws-sdk/client-kms'],
  },

  // How work is done by others: jobs are offered and taken, and what travels is sealed.
  { room: 'workers/', rooms: ['core/'], packages: ['node:crypto', 'node:util', 'node:v8', 'node:zlib'] },
  // Where the jobs wait.
  { room: 'queues/', rooms: ['core/', 'postgres/'], packages: ['node:timers/promises', 'pg', 'pg-boss'] },

  // Who tells people. Secrets are read by the keys' room and come in ready.
  {
    room: 'notifiers/',
    rooms: ['core/', 'outside/'],
    packages: ['node:crypto', 'nodemailer'],
  },

  { room: 'capture/', rooms: ['core/', 'policy/', 'format/'], packages: [] },
  { room: 'backup/', rooms: ['core/', 'policy/', 'format/'], packages: [] },
  { room: 'recovery/', rooms: ['core/', 'policy/', 'format/'], packages: [] },
  { room: 'upkeep/', rooms: ['core/', 'policy/', 'format/', 'recovery/'], packages: [] },
  { room: 'integrity/', rooms: ['core/', 'policy/', 'format/'], packages: [] },

  // A drill wraps the vault so that nothing of it is written but evidence; how far a replica is behind, and what lies in an archive, upkeep says.
  {
    room: 'drills/',
    rooms: [
      ...['core/', 'policy/', 'format/', 'backup/', 'recovery/', 'integrity/', 'upkeep/'],
      'vaults/wrappers/',
    ],
    packages: ['node:crypto', 'node:util'],
  },
  // Where drills restore to. It makes databases, and is given what opens stores in them.
  { room: 'targets/', rooms: ['core/', 'postgres/', 'stores/layouts/'], packages: ['node:*', 'pg'] },

  // Assessment, strategy, plan and steps; what they do to the world comes in through ports.
  {
    room: 'disaster/',
    rooms: ['core/', 'policy/', 'format/', 'recovery/', 'integrity/', 'upkeep/'],
    packages: ['node:crypto'],
  },
  // Servers as a recovery sees them: asked what they are, fenced, promoted, made to follow.
  { room: 'servers/', rooms: ['core/', 'postgres/'], packages: ['node:*', 'pg'] },
  // What else a recovery does to the world: names, scale, fences from outside, commands.
  { room: 'actions/', rooms: ['core/', 'outside/'], packages: ['node:*', '@aws-sdk/client-route-53'] },

  // Runs jobs when they are due, each as a command of its own: what those do, it does not know.
  {
    room: 'daemon/',
    rooms: ['core/', 'policy/', 'format/'],
    packages: ['hono', 'prom-client', '@opentelemetry/api'],
  },
  // Pages of what the daemon knows and of what commands answer; who may see and do what.
  {
    room: 'console/',
    rooms: ['core/', 'policy/', 'daemon/'],
    packages: [
      'hono',
      'hono/html',
      'hono/utils/html',
      'hono/cookie',
      'node:crypto',
      'node:fs/promises',
      'node:net',
      'zod',
    ],
  },

  //
  {
    room: 'doctor/',
    rooms: ['core/', 'policy/', 'format/', 'recovery/'],
    packages: [],
  },

  // Manifests of Kubernetes: judged (check/) and made of a policy (render/). No cluster is asked.
  { room: 'kubernetes/', rooms: ['core/', 'policy/'], packages: ['yaml'] },

  // The command line and the configuration as data, read from their definitions, and what is made of them at run time.
  { room: 'reference/', rooms: ['core/'], packages: ['commander', 'zod'] },

  // Manifests of Kubernetes: judged (check/) and made of a policy (render/). No cluster is asked.
  { room: 'kubernetes/', rooms: ['core/', 'policy/'], packages: ['yaml'] },

  { room: 'cli/', rooms: ['*'], packages: ['*'] },
  { room: 'testing/', rooms: ['core/', 'format/'], packages: ['node:test', 'node:assert/strict'] },
  { room: 'index.ts', rooms: ['*'], packages: [] },
];

export interface Wall {
  readonly room: string;
  /** `*` stands for all. */
  readonly rooms: readonly string[];
  /** `*` stands for all, `node:*` for all of Node's own. */
  readonly packages: readonly string[];
}

/** Concrete stores, vaults, keys, notifiers, places for drills, servers and actions: everyone else meets them through the ports in core. */
export const ADAPTER = /^(?:stores|vaults|keys|notifiers|targets|servers|actions)\/(?!layouts\/|wrappers\/)/;
/** The one module that chooses them, and the face of the library. */
export const NAMES_ADAPTERS: readonly string[] = ['cli/wire.ts', 'index.ts'];

/** Why `module` may not import `target`, a path under src/ or a package; null when it may. */
export function findBreach(module: string, target: string, walls: readonly Wall[] = WALLS): string | null {
  const wall = walls.find(({ room }) => module.startsWith(room));
  if (wall === undefined) return `${module} is in no room of the table`;
  const isModule = target.endsWith('.ts');
  if (isModule && target.startsWith(wall.room)) return null;
  if (isModule && ADAPTER.test(target) && !NAMES_ADAPTERS.includes(module)) {
    return `${module} names the adapter ${target}; only ${NAMES_ADAPTERS.join(' and ')} may`;
  }
  const isAllowed = isModule
    ? wall.rooms.some((room) => room === '*' || target.startsWith(room))
    : wall.packages.some((name) => matchesPackage(name, target));
  return isAllowed ? null : `${module} may not import ${target}`;
}

function matchesPackage(allowed: string, target: string): boolean {
  return allowed === '*' || allowed === target || (allowed === 'node:*' && target.startsWith('node:'));
}
