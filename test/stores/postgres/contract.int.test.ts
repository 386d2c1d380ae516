import { after, before } from 'node:test';
import { openPostgresStore } from '../../../src/stores/postgres/store.ts';
import { eventStoreContract } from '../../../src/testing/event-store-contract.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';

let server: TestPostgres;
before(async () => {
  server = await startPostgres();
});
after(() => server.stop());

eventStoreContract({
  name: 'PostgreSQL',
  capabilities: { keepsJsonText: false, storesNul: false, storesTextIds: false, answersSql: true },
  setup: async () => {
    const database = await server.createDatabase();
    return {
      open: () => openPostgresStore(server.address(database)),
      cleanup: async () => {
        await server.exec(`DROP DATABASE "${database}" WITH (FORCE)`);
      },
    };
  },
});
