import { formatPostgresUri, readPostgresUri } from '../../core/postgres-address.ts';
import { formatConninfo, parseConninfo } from './conninfo.ts';
import { quoteWord, type Script } from './shell.ts';

/** An old primary on its host. */
export interface OldPrimary {
  readonly data: string;
  /** Folder of PostgreSQL's programs. */
  readonly bin: string;
  /** Of postgresql.conf, where that lies elsewhere than in the folder of the data. */
  readonly config: string | null;
  /** Instead of pg_ctl: commands of the shell, for servers that something else starts. */
  readonly start: string | null;
  readonly stop: string | null;
  /** Connection string of libpq that leads to the new primary. May hold a password. */
  readonly source: string;
  readonly env: Readonly<Record<string, string>>;
  /** System identifier and timeline of the new primary; null before it was looked at. */
  readonly rejoins: string | null;
}

/** What was found before anything is done. */
export interface Found {
  /** A former attempt has begun to rewind or copy it for this very primary, or has done so. */
  readonly isBegun: boolean;
  readonly isDone: boolean;
  /** It would start as a standby. */
  readonly isStandby: boolean;
  /** Null where there is no data. */
  readonly systemIdentifier: string | null;
  readonly timeline: number | null;
  /** Whether pg_rewind can tell which pages were changed. */
  readonly canBeRewound: boolean;
  readonly source: {
    readonly systemIdentifier: string;
    readonly timeline: number;
    readonly isStandby: boolean;
  };
}

/**
 * Waits of the programs themselves; the caller's signal ends all of them. A stop waits for standbys that do not hear any more; what it
 * would have written at its end, recovery writes as well.
 */
const STOP_SECONDS = 15;
const START_SECONDS = 60;

/**
 * Beside the folder of the data lies `….rejoin` while a rejoin is under way, and in it a folder for the primary and timeline that is
 * rejoined: with the settings of this server, for the ones of the new primary come with its files; and with marks of what is done, made
 * after it. Nobody else works there: a lock is held by the shell.
 */
function script(old: OldPrimary, what: string, body: string): Script {
  const { password, rest } = withoutPassword(old.source);
  const env = { ...(password === null ? {} : { PGPASSWORD: password }), PGCONNECT_TIMEOUT: '10', ...old.env };
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${quoteWord(value)}`);
  const config = old.config === null ? '' : `-c config_file=${quoteWord(old.config)}`;
  const text = `set -eu
umask 077
export LC_ALL=C
${exports.join('\n')}
data=${quoteWord(old.data)} bin=${quoteWord(old.bin)} source=${quoteWord(rest)} side=${quoteWord(`${old.data}.rejoin`)}
marks="$side"/${quoteWord(old.rejoins ?? 'none')}
server_options=${quoteWord(config)}
mkdir -p "$side"
if command -v flock >/dev/null 2>&1; then
  exec 9>"$side/lock"
  flock 9
fi
is_running() { "$bin/pg_ctl" status -D "$data" >/dev/null 2>&1; }
${body}
exit 0
`;
  return { what, text, secrets: Object.values(env).filter((value) => value.length > 2) };
}

function withoutPassword(source: string): { password: string | null; rest: string } {
  if (/^postgres(?:ql)?:\/\//.test(source)) {
    const uri = readPostgresUri(source);
    const parameters = new Map(uri.parameters);
    const password = parameters.get('password') ?? uri.password;
    parameters.delete('password');
    return { password, rest: formatPostgresUri({ ...uri, password: null, parameters }) };
  }
  const parameters = parseConninfo(source);
  const password = parameters.get('password') ?? null;
  return { password, rest: formatConninfo([...parameters].filter(([name]) => name !== 'password')) };
}

/**
 * The new primary writes a checkpoint before anything is looked at: until then its control file names the timeline that it came from. So
 * pg_rewind would take both servers for one history; and whoever names the new primary's data by mistake would have it stopped.
 */
export function lookScript(old: OldPrimary): Script {
  return script(
    old,
    'look at the old primary and at the new one',
    `to=$("$bin/psql" -XAtqw -d "$source" -c CHECKPOINT -c "SELECT system_identifier || '-' || timeline_id || '-' || pg_is_in_recovery()
  FROM pg_control_system(), pg_control_checkpoint()")
echo "source=$to"
if [ -e "$side/\${to%-*}/begun" ]; then echo begun=1; fi
if [ -e "$side/\${to%-*}/done" ]; then echo done=1; fi
if [ -e "$data/standby.signal" ]; then echo standby=1; fi
if [ -f "$data/PG_VERSION" ]; then
  "$bin/pg_controldata" -D "$data" | sed -n \
    -e 's/^Database system identifier: */id=/p' -e "s/^Latest checkpoint's TimeLineID: */timeline=/p" \
    -e 's/^Data page checksum version: */checksums=/p' -e 's/^wal_log_hints setting: */hints=/p'
fi`,
  );
}

export function readFound(output: string): Found {
  const found = new Map(
    output.split('\n').map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1).trim()] as const;
    }),
  );
  const [systemIdentifier = '', timeline = '', isStandby = ''] = found.get('source')?.split('-') ?? [];
  const ownTimeline = found.get('timeline');
  return {
    isBegun: found.has('begun'),
    isStandby: found.has('standby'),
    isDone: found.has('done'),
    systemIdentifier: found.get('id') ?? null,
    timeline: ownTimeline === undefined ? null : Number(ownTimeline),
    canBeRewound: (found.get('checksums') ?? '0') !== '0' || found.get('hints') === 'on',
    source: { systemIdentifier, timeline: Number(timeline), isStandby: isStandby !== 'false' },
  };
}

export function stopScript(old: OldPrimary): Script {
  const stop =
    old.stop ??
    `"$bin/pg_ctl" stop -D "$data" -m fast -w -t ${STOP_SECONDS} 9>&- || "$bin/pg_ctl" stop -D "$data" -m immediate -w -t ${STOP_SECONDS} 9>&-`;
  return script(
    old,
    'stop the old primary',
    `if is_running; then ${stop}; fi
if is_running; then echo "it still runs" >&2; exit 1; fi`,
  );
}

const SAVE = `if [ ! -e "$marks/begun" ]; then
  rm -rf "$marks/settings"
  mkdir -p "$marks/settings"
  if [ -d "$data" ]; then
    find "$data" -maxdepth 1 \\( -name '*.conf' -o -name 'conf.d' -o -name 'pg_hba.conf.before-fence' \\) -exec cp -Rp {} "$marks/settings/" \\;
  fi
  touch "$marks/begun"
fi`;

/**
 * pg_rewind that dies between its first file and its last leaves data that nothing can be made of but a new copy. So it goes on when this
 * shell is ended, and keeps the lock: whoever comes next waits for it, and finds it done. `-R` makes a standby with the last that it does.
 */
export function rewindScript(old: OldPrimary): Script {
  const config = old.config === null ? '' : quoteWord(`--config-file=${old.config}`);
  const rewind = `'log=$1 marks=$2; shift 2; "$@" >"$log" 2>&1 && touch "$marks/done"'`;
  return script(
    old,
    'rewind the old primary',
    `if [ -e "$marks/done" ]; then exit 0; fi
if is_running; then echo "it runs again: something else starts it" >&2; exit 1; fi
${SAVE}
apart=""
if command -v setsid >/dev/null 2>&1; then apart="setsid"; fi
$apart sh -c ${rewind} sh "$side/rewind.log" "$marks" \
  "$bin/pg_rewind" -R -D "$data" --source-server="$source" ${config} </dev/null &
wait $! || { tail -n 4 "$side/rewind.log" >&2; exit 1; }`,
  );
}

/** What the old primary had is kept beside it: only people remove that. */
export function cloneScript(old: OldPrimary): Script {
  return script(
    old,
    'copy the new primary',
    `if [ -e "$marks/done" ]; then exit 0; fi
if is_running; then echo "it runs again: something else starts it" >&2; exit 1; fi
${SAVE}
if [ ! -d "$data.clone" ]; then
  rm -rf "$data.clone-part"
  "$bin/pg_basebackup" -R -D "$data.clone-part" -d "$source" -w -X stream -c fast 9>&-
  mv "$data.clone-part" "$data.clone"
fi
if [ -d "$data" ]; then
  if [ -e "$data.before-clone" ]; then echo "$data.before-clone is in the way: remove it" >&2; exit 1; fi
  mv "$data" "$data.before-clone"
fi
mv "$data.clone" "$data"
touch "$marks/done"`,
  );
}

/** The settings of this server come back, but for where it streams from. */
export function configureScript(old: OldPrimary, conninfo: string): Script {
  const quoted = `'${conninfo.replaceAll("'", "''")}'`;
  return script(
    old,
    'configure the standby',
    `if is_running; then exit 0; fi
if [ -d "$marks/settings" ]; then cp -Rp "$marks/settings/." "$data/"; fi
rm -f "$data/recovery.signal"
touch "$data/standby.signal" "$data/postgresql.auto.conf"
{ grep -v '^ *primary_conninfo' "$data/postgresql.auto.conf" || true; printf '%s\\n' ${quoteWord(`primary_conninfo = ${quoted}`)}; } > "$side/auto.conf"
mv "$side/auto.conf" "$data/postgresql.auto.conf"`,
  );
}

export function startScript(old: OldPrimary): Script {
  const secrets = ['PGPASSWORD', ...Object.keys(old.env)].join(' ');
  const start =
    old.start ??
    `if ! "$bin/pg_ctl" start -D "$data" -w -t ${START_SECONDS} -l "$side/server.log" -o "$server_options" </dev/null >/dev/null && ! is_running; then
    tail -n 3 "$side/server.log" >&2; exit 1
  fi`;
  return script(
    old,
    'start the standby',
    `unset ${secrets} || true
if ! is_running; then
  [ -e "$data/standby.signal" ] || { echo "it would start as a primary" >&2; exit 1; }
  { ${start}; } 9>&-
fi`,
  );
}

/** Last of all: with it goes the memory of what was done. */
export function tidyScript(old: OldPrimary): Script {
  return script(old, 'tidy up', 'rm -rf "$side"');
}
