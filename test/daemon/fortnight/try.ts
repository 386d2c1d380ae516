import { live } from './life.ts';
const seed=Number(process.argv[2]??0), days=Number(process.argv[3]??14);
const t=performance.now();
const w=await live(seed,days);
console.log('ms',Math.round(performance.now()-t),'runs',w.runs.length,'written',w.written.length,'told',w.told.length,'points',w.points.size,'owed',w.owed.size,w.broken);
const by={};for(const r of w.runs){const k=r.job+' '+r.state;by[k]=(by[k]??0)+1}
console.log(by);
