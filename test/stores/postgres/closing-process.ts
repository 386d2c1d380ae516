import { openPostgresStore } from '../../../src/stores/postgres/store.ts';

/** A process that has nothing but the store `argv[2]`, looks at it, closes it and says so. */
const store = openPostgresStore(process.argv[2]!);
await store.inspect();
await store.close();
process.stdout.write('closed\n');
