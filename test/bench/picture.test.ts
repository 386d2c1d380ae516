import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drawPicture } from '../../bench/picture.ts';
import { outcome, result } from './sample-outcome.ts';

const widthsOf = (svg: string) =>
  [...svg.matchAll(/<rect class="(ours|peer)"[^>]* width="([\d.]+)"/g)].map(([, kind, width]) => [
    kind,
    Number(width),
  ]);

describe('the picture', () => {
  it('has a bar for each contender, as long as its figure, the smallest first', () => {
    const bars = widthsOf(drawPicture(outcome()));
    assert.deepEqual(bars.slice(0, 3), [
      ['ours', 110],
      ['peer', 176],
      ['peer', 440],
    ]);
  });

  it('writes value and ratio behind each bar, and the size and the machine below', () => {
    const svg = drawPicture(outcome());
    assert.match(svg, />5\.0 {2}×0\.25</);
    assert.match(svg, />20\.0 {2}×1\.00</);
    assert.match(svg, /1,000,000 events; 2 cores, Made Up 9000/);
  });

  it('leaves out variants and works that were not measured', () => {
    const svg = drawPicture(
      outcome({ results: [...outcome().results, result('backup, level 9', 'variant')] }),
    );
    assert.doesNotMatch(svg, /level 9|Restore/);
  });

  it('is well-formed whatever a contender is called', () => {
    const svg = drawPicture(outcome({ results: [result('a <b> & c', 'peer')] }));
    assert.match(svg, /a &lt;b&gt; &amp; c/);
    const opened = [...svg.matchAll(/<(?!\/)(\w+)[^>]*(?<!\/)>/g)].map(([, name]) => name);
    const closed = [...svg.matchAll(/<\/(\w+)>/g)].map(([, name]) => name);
    assert.deepEqual(opened.toSorted(), closed.toSorted());
  });
});
