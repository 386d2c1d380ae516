import { describeResume } from './resume-cases.ts';

// A table larger than half of it is read in one scan for each of the readers.
describeResume({
  how: 'that reads its parts in two scans',
  settings: { shared_buffers: '1MB' },
  isFirst: false,
});
