import { describeResume } from './resume-cases.ts';

describeResume({ how: 'that reads part by part', settings: {}, isFirst: true });
