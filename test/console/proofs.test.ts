import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drillId } from './fixture-drills.ts';
import { STORES } from './fixture-stores.ts';
import { renderPath } from './render.ts';

describe('the made-up documents', () => {
  it('are such that the pages know them', async () => {
    const paths = ['integrity', 'drills', `drills/${drillId(0)}`, 'regions', 'regions/disaster'];
    for (const { name } of STORES) {
      for (const path of [...paths, 'regions/disaster?assess=region_outage']) {
        const text = await renderPath(`/stores/${name}/${path}`);
        assert.doesNotMatch(text, /something that this page does not know/, `${path} of ${name}`);
      }
    }
    assert.match(await renderPath('/stores/orders/regions/disaster'), /data-soon/);
    assert.doesNotMatch(await renderPath('/stores/shop/regions/disaster'), /data-soon/);
  });
});
