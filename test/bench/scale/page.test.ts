import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fillScalePage, readSaved, readScalePage, SCALE_PICTURE } from '../../../bench/scale/page.ts';
import { drawScale } from '../../../bench/scale/scale-picture.ts';

describe('docs/operating/scale.md', () => {
  const saved = readSaved();

  it('is made of docs/operating/scale.json', () => {
    const page = readScalePage();
    assert.equal(fillScalePage(page, saved), page, 'npm run bench:scale -- --again writes it anew');
  });

  it('has the picture of the same numbers', () => {
    assert.equal(readFileSync(SCALE_PICTURE, 'utf8'), drawScale(saved.answers.byWorkers));
  });

  it('says where it has no numbers to compare, and how many are far off', () => {
    assert.match(fillScalePage(readScalePage(), { ...saved, compared: null }), /Not compared since/);
    const prediction = (wallSeconds: number) => ({ wallSeconds, cpuSeconds: 1 });
    const one = {
      work: 'backup',
      store: 'postgres',
      events: 1e6,
      parallel: 2,
      predicted: prediction(1),
    } as const;
    const compared = [
      { ...one, measured: prediction(1.1) },
      { ...one, measured: prediction(2) },
    ];
    assert.match(fillScalePage(readScalePage(), { ...saved, compared }), /1 of 2 are further off than 15 %/);
  });
});
