import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicText } from '../../src/drills/public-text.ts';
import { renderReport } from '../../src/drills/render-report.ts';
import { sampleEvidence } from '../harness/sample-evidence.ts';

test('what everybody may read names no stream and nothing of an event', () => {
  assert.equal(
    publicText('stream "order-17" of the backup has events 3 by its heads', 'verification_failed'),
    'stream "…" of the backup has events 3 by its heads',
  );
  assert.equal(publicText('a "quote \\" in it" and more', 'damaged'), 'a "…" and more');
  assert.equal(publicText('an "unended', 'damaged'), 'an "…"');
  assert.equal(
    publicText('Key (stream_id)=(order-17) exists', 'store_refused'),
    'Key (stream_id)=(…) exists',
  );
  assert.equal(publicText('base64:b3JkZXI= is no name', 'damaged'), '… is no name');
  assert.doesNotMatch(publicText('cannot read order-17', 'internal'), /order/);
  assert.ok(publicText('x'.repeat(5000), 'damaged').length <= 500);
});

test('a report shows what it is given as text, and runs nothing', () => {
  const evil = '<script>alert(1)</script><img src=x onerror=y>';
  const evidence = sampleEvidence({ store: evil, selection: evil, notes: [evil], target: `"'&${evil}` });
  const page = renderReport(evidence, []);
  assert.doesNotMatch(page, /<script|<img/);
  assert.match(page, /&lt;script&gt;/);
  assert.match(page, /default-src 'none'/);
});

test('a report shows how long restores took, drill by drill', () => {
  const signature = null;
  const past = Array.from({ length: 30 }, (_, i) => {
    return {
      ...{ name: `n${i}`, drillId: 'd', sha256: '', signature, problem: null },
      evidence: sampleEvidence(),
    };
  });
  assert.equal(renderReport(sampleEvidence(), past).match(/<rect/g)!.length, 21);
  assert.doesNotMatch(renderReport(sampleEvidence(), []), /<rect/);
});
