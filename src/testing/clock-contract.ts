import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../core/clock.ts';

/** What every clock must keep to. */
export function clockContract(options: { readonly name: string; readonly clock: Clock }): void {
  const { clock } = options;

  describe(`the clock ${options.name}`, () => {
    it('tells whole milliseconds since 1970', () => {
      const now = clock.now();
      assert.ok(Number.isSafeInteger(now));
      assert.ok(now > Date.UTC(2020, 0) && now < Date.UTC(2200, 0), String(now));
    });

    it('makes random UUIDs in lower case, each one new', () => {
      const uuids = Array.from({ length: 1000 }, () => clock.uuid());
      for (const uuid of uuids)
        assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.equal(new Set(uuids).size, uuids.length);
    });
  });
}
