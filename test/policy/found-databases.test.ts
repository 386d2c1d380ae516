import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { areTooManyGone, chooseDatabases } from '../../src/policy/found-databases.ts';

function chosen(settings: Readonly<Record<string, string | null>>, patterns: readonly string[] = []) {
  const databases = Object.entries(settings).map(([name, setting]) => ({ name, setting }));
  return Object.fromEntries(chooseDatabases(databases, patterns).map(({ name, labels }) => [name, labels]));
}

describe('databases of a server', () => {
  it('are stores where they say so, with the labels that they give themselves', () => {
    assert.deepEqual(
      chosen({ on: 'on', yes: ' Yes ', off: 'off', empty: '', plain: null, shop: 'team=shop, tier = gold' }),
      { on: {}, yes: {}, shop: { team: 'shop', tier: 'gold' } },
    );
  });

  it('are stores by their names unless they say no', () => {
    assert.deepEqual(
      chosen({ shop_a: null, shop_b: 'off', shop_c: 'team=c', my_shop_d: null, 'a.b': null, aXb: null }, [
        'shop_*',
        'a.b',
      ]),
      { shop_a: {}, shop_c: { team: 'c' }, 'a.b': {} },
    );
  });

  it('that say something else are not left out: what is wrong is told where labels are read', () => {
    assert.deepEqual(chosen({ shop: 'onn' }), { shop: { onn: null } });
  });
});

describe('what is gone at once', () => {
  it('is not believed where it is more than three and more than what is left', () => {
    assert.deepEqual(
      [[3, 0] as const, [4, 0] as const, [4, 3] as const, [4, 4] as const].map(([gone, left]) =>
        areTooManyGone(gone, left),
      ),
      [false, true, true, false],
    );
  });
});
