/** npm run bench:capacity: writes docs/operating/capacity.md anew from docs/benchmarks.json. */
import { writeFileSync } from 'node:fs';
import { CAPACITY_PAGE, fillCapacityPage, readCapacityPage } from './capacity.ts';
import { readPublished } from './publish.ts';

writeFileSync(CAPACITY_PAGE, fillCapacityPage(readCapacityPage(), readPublished()));
