import { after, before } from 'node:test';
import { openPostgresStore } from '../../../src/stores/postgres/store.ts';
import { changeFeedContract } from '../../../src/testing/change-feed-contract.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';

let server: TestPostgres;

before(async () => {
  server = await startPostgres({ settings: { max_replication_slots: '100', max_wal_senders: '20' } });
});
after(() => server.stop());

changeFeedContract({
  name: 'PostgreSQL',
  capabilities: {
    keepsJsonText: false,
    storesNul: false,
    storesTextIds: false,
    answersSql: true,
    tellsTransactions: true,
  },
  setup: async () => {
    const database = await server.createDatabase();
    return { open: () => openPostgresStore(server.address(database)), cleanup: async () => {} };
  },
});
