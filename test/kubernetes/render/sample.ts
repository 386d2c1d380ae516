import type { Wanted, WantedWorkers } from '../../../src/kubernetes/render/wanted.ts';

/** Pods that take what it gives away. */
export const SAMPLE_WORKERS: WantedWorkers = {
  queue: {
    ...{ host: 'events-rw', port: 5432, database: 'eventcore_queue', schema: 'eventcore_queue' },
    ...{ user: 'queue_login', sslMode: 'prefer' },
  },
  concurrency: 4,
  variables: [
    { name: 'PGPASSWORD', isOptional: false },
    { name: 'QUEUE_PASSWORD', isOptional: false, secret: 'eventcore-queue-login', key: 'password' },
    { name: 'EVENTCORE_QUEUE', value: 'postgres://queue_login:$(QUEUE_PASSWORD)@events-rw/eventcore_queue' },
  ],
  files: [{ key: 'queue.key', path: 'queue.key' }],
  endpoints: [
    { host: 'events-rw', port: 5432 },
    { host: null, port: 443 },
  ],
};

/** What a daemon for one store in PostgreSQL needs. */
export const SAMPLE: Wanted = {
  ...{ name: 'shop-backup', namespace: 'shop', image: 'registry.example.com/eventcore-backup:1.2.3' },
  config: { fileName: 'shop.yaml', text: 'store: postgres://serve_login@events-rw:5432/shop\n' },
  variables: [
    { name: 'PGPASSWORD', isOptional: false },
    { name: 'AWS_ACCESS_KEY_ID', isOptional: true },
  ],
  files: [{ key: 'keys-sign.pem', path: 'keys/sign.pem' }],
  volumes: [],
  endpoints: [{ host: 'events-rw', port: 5432 }],
  jobs: [
    {
      name: 'full',
      args: ['backup', 'full'],
      timing: { kind: 'schedule', cron: '0 2 * * 0', timeZone: 'UTC' },
    },
    { name: 'archive', args: ['archive'], timing: { kind: 'always' } },
    { name: 'verify', args: ['verify'], timing: { kind: 'asked' } },
  ],
  isTls: false,
  deadlineSeconds: 43_200,
  targets: [],
  workers: null,
};
