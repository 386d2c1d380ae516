import { stringify } from 'yaml';

/** New keys, as the configuration names them. */
export interface TemplateKeys {
  readonly recipient: string;
  /** Where the secrets are. */
  readonly identity: string;
  readonly signKey: string;
  readonly signer: string;
}

/** The configuration that `eventcore init` writes. */
export function configTemplate(store: string, vault: string, keys: TemplateKeys | null = null): string {
  return `# Configuration of EventCore Backup. Flags beat the environment, the environment beats this file.
# Relative paths are seen from this file's folder. Unknown keys are refused.

# Where the events live (--store, EVENTCORE_STORE):
#   sqlite:./events.db
#   postgres://user@host:5432/database        ?schema=… where the tables are not in "public"
# Leave the password out: PGPASSWORD or ~/.pgpass give it.
store: ${scalar(store)}

${STORES}
# A hot standby of a PostgreSQL store, which backups may read (backup.target):
# standby: postgres://user@replica:5432/database

# Where backups live (--vault, EVENTCORE_VAULT): a directory, best on another disk or machine, or a bucket (docs/s3.md):
#   file:./backups
#   s3://bucket/prefix?region=eu-central-1    ?endpoint=https://… for another server than Amazon's
# Leave credentials out: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role give them.
vault: ${scalar(vault)}

# How fast a command may read from the vault, and write into it (--rate-limit):
# rate_limit: 50MB/s

# How \`eventcore backup\` works. These are the defaults.
backup:
  # columns (smallest, fastest), jsonl (chunks that zstdcat and jq can read) or msgpack
  # format: columns
  # zstd, gzip or none
  # compression: zstd
  # zstd 1 to 19, gzip 1 to 9; max: smallest, much slower
  # level: 1
  # parts that are worked on at once; the default is the number of processors, at most 4
  # parallel: 2
  # when an incremental backup finds that the store lost or changed what was backed up: alarm (stop) or full
  # on_difference: alarm
  # which server is read: primary, standby, or prefer-standby (the primary when the standby cannot be read)
  # target: primary

# How \`eventcore archive\` captures the change log. These are the defaults.
change_log:
  # how long a commit may wait before it is written to the vault
  # flush_ms: 1000
  # how often the log says that nothing was committed
  # idle_ms: 30000
  # while the vault cannot be written: hold (the store keeps what comes), spool (to a local vault), or drop (a gap)
  # on_outage: hold
  # how much is spooled, or kept by the store before it is dropped
  # outage_limit: 10GB
  # spool: /var/spool/eventcore

# Sealed backups (docs/keys.md). A secret is named by where it is: file:PATH, env:NAME or command:LINE. Nothing is
# sealed while no recipient and no passphrase is named.
encryption:
  # who can open what is sealed: age1… (from \`eventcore keys generate\`), or keys of AWS KMS
${keys === null ? '  # recipients: [age1…]' : `  recipients: [${keys.recipient}]`}
  # passphrase: file:./backup.passphrase
  # what opens; a host that only takes backups needs none, and is safer without
${keys === null ? '  # identities: [file:./backup.age-key]' : `  identities: [${scalar(keys.identity)}]`}
  # signs what this host writes, and lets it go on without an identity
${keys === null ? '  # sign_key: file:./backup.sign-key.pem' : `  sign_key: ${scalar(keys.signKey)}`}
  # whose backups count
${keys === null ? '  # trusted_signers: [ed25519:…]' : `  trusted_signers: [${keys.signer}]`}
  # require_signature: true

${MONITOR}
${SERVE}
${DRILL}${QUEUE}
${POLICY}
${DISASTER}`;
}

const DRILL = `# Restores that are made only to see that they work (docs/drill.md), by \`eventcore drill\`:
# drill:
#   test_frequency: 1d                  # how often a schedule of yours runs it
#   full_restore_test_frequency: 7d     # a full restore is due this long after the last one that passed
#   sample_restore_percentage: 5        # of the streams, in a partial restore
#   cleanup_test_data: true
#   target: sqlite                      # sqlite, sqlite:FOLDER, postgres (programs on this machine) or postgres://user@host/postgres
#   heartbeat_url: https://…            # called after each drill that passed
#   checks:
#     - { name: no_order_without_lines, sql: "SELECT count(*) FROM …", expect: 0 }
#     - module: ./order-state.js        # exports initialState, evolve and, if wanted, streams
`;

const SERVE = `# What \`eventcore serve\` does, and when (docs/serve.md): five fields of cron, a span, or always for what runs until it is stopped
# serve:
#   listen: 127.0.0.1:8321              # health and metrics
#   jobs:
#     archive: always
#     full: "0 2 * * 0"
#     incremental: { every: 15m }
#     sync: "0 1 * * *"
#     prune: "30 3 * * *"
#     verify: { schedule: "0 5 * * *", options: [--share, 5%] }
#     monitor: always
#     drill: "0 6 * * 1"
`;

const QUEUE = `
# Work that several machines share (docs/workers.md): they run \`eventcore worker\`
# queue:
#   address: postgres://queue_login@db.example/jobs
#   key: file:./queue.key               # the same for all; openssl rand -base64 32 > queue.key
#   per_store: 8                        # jobs that read or load one store at once
#   per_vault: 16                       # jobs that check or copy in one vault at once
`;

const STORES = `# Tables of EventCore, Emmett, message-db and others are known by looking (docs/layouts.md). One that no layout knows is described
# here, and named by ?layout=orders:
# layouts:
#   orders:
#     table: order_log
#     version_base: 1
#     columns: { id: entry, stream: order_no, version: revision, type: happened, data: body, time: written_at }

# One store whose streams lie on several servers, each stream whole on one (docs/partitions-and-shards.md): store: shards:shop
# shards:
#   shop:
#     stores: [ "postgres://backup_login@db1.example.com/shop", "postgres://backup_login@db2.example.com/shop" ]
#     # placement: hash                 # for a restore into it: how its writers find the shard of a stream
`;

const MONITOR = `# How \`eventcore monitor\` watches over the store (docs/monitor.md). These are the defaults.
monitor:
  # check_interval: 1h
  # sooner or later by up to so much
  # jitter: 10%
  # how much of the store is looked at in each run; all of it once in 100 / 5 runs
  # sample_percentage: 5%
  # false: what is found is kept on record only
  # alert_on_corruption: true
  # what goes on is told again after
  # repeat_after: 24h
  # repair what is found, of these kinds only: reinstate_events, put_back_events, remove_copies, restore_guards,
  # rebuild_index, advance_sequence, clamp_checkpoint, drop_snapshot
  # auto_repair: false
  # repair_kinds: []
  # keys that the metadata of each event must have
  # required_metadata: []
  # how far an event's time may be ahead of the clock, or behind the event before it
  # clock_tolerance: 5m
  # how fast the store and the vault are read, and how long one statement may take
  # rate_limit: 10MB/s
  # statement_timeout: 30s
  # nothing is looked at while replication lags by more
  # max_replication_lag: 1m

# Who is told; \`eventcore monitor --test-alert\` tries each. \`severity: critical\`: of that alone; \`after: 30m\`: of what is open for so long.
# notify:
#   - log: {}
#   - webhook: { url: https://alerts.example.com/eventcore, secret: file:./webhook.secret }
#   - mail: { server: smtps://me@mail.example.com, password: env:MAIL_PASSWORD, from: me@example.com, to: [ops@example.com] }
#   - slack: { url: env:SLACK_URL }
#   - { command: [/usr/local/bin/page-somebody, --urgent], severity: critical, after: 30m }
`;

const POLICY = `# Copies in other regions, and how long what stays (docs/policy.md). The storage of the primary region is the vault.
# Spans: 12h, 30d, 12w, 6m (months), 7y. Schedules: minute, hour, day of the month, month, day of the week.
# time_zone: UTC
# primary:
#   region: us-east-1
#   schedule: "0 */6 * * *"
#   retention: 30d
# replicas:
#   - region: us-west-2
#     storage: /mnt/us-west-2/backups
#     sync_schedule: "0 1 * * *"
#     retention: { within: 100d, monthly: 12, minimum_redundancy: 2 }
# archive:
#   storage: /mnt/archive/backups
#   after_days: 90
#   retention: 7y
# objectives: { rpo: 15m, region_rpo: 30h, rto: 2h, verified_within: 30d, drilled_within: 8d }
`;

const DISASTER = `# Regions whose servers can take over from one another (docs/disaster-recovery.md), for \`eventcore dr\`:
# disaster:
#   public: postgres://app@db.example.com:5432/events     # how applications reach the store
#   name: { rfc2136: { server: ns1.example.com:53, zone: example.com, name: db.example.com, type: CNAME, ttl: 30, key: file:./dr.key } }
#   max_data_loss: 1MB                  # of write-ahead log; more needs --accept-data-loss
#   regions:
#     - region: us-east-1               # its vault is the storage of the region of this name
#       servers: [postgres://postgres@db-1.us-east-1.example.com:5432/events]
#       value: db-1.us-east-1.example.com.
#       restore_to: postgres://postgres@spare.us-east-1.example.com:5432/events
#       fence: [postgres, { command: [./stop-instance, db-1], check: [./is-stopped, db-1] }]
#     - region: us-west-2
#       servers: [postgres://postgres@db-1.us-west-2.example.com:5432/events]
#       value: db-1.us-west-2.example.com.
#       fence: [postgres, { command: [./stop-instance, db-2], check: [./is-stopped, db-2] }]
`;

function scalar(text: string): string {
  return stringify(text, { lineWidth: 0 }).trimEnd();
}
